package render

import "strconv"

// The ledger's bars share its width with the names of factors on the left and the points on the
// right: all three in percent.
const (
	barsFrom = 12
	barsTo   = 90
)

const (
	classHeight = 26 // of the names of the classes
	barHeight   = 22 // of a step
)

// scale maps sums to percents of the width. A sum can leave 0 to 100, a score does not.
type scale struct{ low, high int }

func (s scale) at(sum int) int {
	return barsFrom*100 + (sum-s.low)*(barsTo-barsFrom)*100/(s.high-s.low)
}

// percent writes an attribute from hundredths of a percent.
func (h *html) percent(name string, hundredths int) {
	h.raw(" " + name + "=\"")
	h.out = strconv.AppendFloat(h.out, float64(hundredths)/100, 'f', -1, 64)
	h.raw("%\"")
}

func (l *ledger) scale() scale {
	s, sum := scale{0, 100}, 0
	for _, step := range l.steps {
		sum += step.points
		s.low, s.high = min(s.low, sum), max(s.high, sum)
	}
	return s
}

func (h *html) ledger(l ledger) {
	s := l.scale()
	bottom := classHeight + barHeight*len(l.steps)
	h.figure("ledger", "Score ledger", l.about, bottom+barHeight+8)
	h.class(s, 0, suspiciousFrom, bottom+barHeight, "calm", "benign-likely")
	h.class(s, suspiciousFrom, maliciousFrom, bottom+barHeight, "wary", "suspicious")
	h.class(s, maliciousFrom, 100, bottom+barHeight, "alarmed", "malicious-likely")
	sum, y := 0, classHeight
	for _, step := range l.steps {
		h.step(s, sum, y, step)
		sum += step.points
		y += barHeight
	}
	h.raw("<text x=\"0\" class=\"head\"")
	h.attribute("y", y+16)
	h.raw(">Total</text>\n<line")
	h.percent("x1", s.at(l.score))
	h.percent("x2", s.at(l.score))
	h.attribute("y1", classHeight)
	h.attribute("y2", bottom+barHeight)
	h.raw(" class=\"score\"/>\n<circle r=\"7\" class=\"target\"")
	h.percent("cx", s.at(l.score))
	h.attribute("cy", y+11)
	h.raw("/>\n")
	h.points(y, "head end", strconv.Itoa(l.score))
	h.endFigure()
}

// class is the part of the scale that one class has.
func (h *html) class(s scale, from, to, bottom int, class, name string) {
	h.raw("<rect y=\"0\"")
	h.percent("x", s.at(from))
	h.percent("width", s.at(to)-s.at(from))
	h.attribute("height", bottom+4)
	h.raw(" class=\"" + class + "\"/>\n<text y=\"16\" class=\"class\"")
	h.percent("x", (s.at(from)+s.at(to))/2)
	h.raw(">" + name + "</text>\n")
}

func (h *html) step(s scale, sum, y int, st step) {
	name, rest := split(st.name, 4)
	if rest != "" {
		name += "…"
	}
	h.raw("<text x=\"0\" class=\"value\"")
	h.attribute("y", y+16)
	h.raw(">")
	h.text(name)
	h.raw("</text>\n<rect rx=\"3\"")
	h.percent("x", s.at(min(sum, sum+st.points)))
	h.percent("width", s.at(max(sum, sum+st.points))-s.at(min(sum, sum+st.points)))
	h.attribute("y", y+4)
	h.attribute("height", barHeight-8)
	if st.points < 0 {
		h.raw(" class=\"less\"/>\n")
	} else {
		h.raw(" class=\"more\"/>\n")
	}
	points := strconv.Itoa(st.points)
	if st.points >= 0 {
		points = "+" + points
	}
	h.points(y, "value end", points)
}

func (h *html) points(y int, class, s string) {
	h.raw("<text x=\"100%\"")
	h.attribute("y", y+16)
	h.raw(" class=\"" + class + "\">" + s + "</text>\n")
}
