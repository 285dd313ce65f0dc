package render

import "strconv"

// Drawings have no view box: their widths are parts of the page's, so that letters have the same
// size on a phone. Of a text too long for a phone there are two, and the style shows one.

// wideText and narrowText are how many columns of letters a figure has on a screen and on a phone.
const (
	wideText   = 68
	narrowText = 32
)

func (h *html) number(n int) { h.out = strconv.AppendInt(h.out, int64(n), 10) }

// attribute writes a number as an attribute. The name is a constant.
func (h *html) attribute(name string, n int) {
	h.raw(" " + name + "=\"")
	h.number(n)
	h.raw("\"")
}

// figure opens a drawing that a reader who does not see it has in words.
func (h *html) figure(id, title, about string, height int) {
	h.raw("<figure>\n<svg role=\"img\" width=\"100%\"")
	h.attribute("height", height)
	h.raw(" aria-labelledby=\"" + id + "-title " + id + "-about\">\n<title id=\"" + id + "-title\">")
	h.text(title)
	h.raw("</title>\n<desc id=\"" + id + "-about\">")
	h.text(about)
	h.raw("</desc>\n")
}

func (h *html) endFigure() { h.raw("</svg>\n</figure>\n") }

// label writes text that begins at x with its base line at y, once for each width that needs its own,
// and behind it an aside.
func (h *html) label(x, y int, class string, s span, aside string) {
	narrow, rest := split(s.text, narrowText)
	if rest == "" {
		h.labelText(x, y, class, "", s.text, aside)
		return
	}
	h.labelText(x, y, class, " narrow", narrow+"…", "")
	wide, rest := split(s.text, wideText)
	if rest != "" {
		wide += "…"
	}
	h.labelText(x, y, class, " wide", wide, aside)
}

func (h *html) labelText(x, y int, class, width, s, aside string) {
	h.raw("<text")
	h.attribute("x", x)
	h.attribute("y", y)
	h.raw(" class=\"" + class + width + "\">")
	h.text(s)
	if aside != "" {
		h.raw("<tspan class=\"aside\" dx=\"10\">")
		h.text(aside)
		h.raw("</tspan>")
	}
	h.raw("</text>\n")
}

const (
	headHeight = 34 // of a stop's head
	lineHeight = 20 // of a line below it
	railX      = 20 // of the line that joins stops
	textX      = 40
)

func (s *stop) height() int {
	if len(s.lines) == 0 {
		return headHeight
	}
	return headHeight + lineHeight*len(s.lines) + 6
}

func (h *html) rail(r rail) {
	height := 8
	for i := range r.stops {
		height += r.stops[i].height()
	}
	h.figure(r.id, r.title, r.about, height)
	h.bands(r.stops)
	y := 4
	for i := range r.stops {
		s := &r.stops[i]
		if i+1 < len(r.stops) {
			h.raw("<line")
			h.attribute("x1", railX)
			h.attribute("x2", railX)
			h.attribute("y1", y+headHeight/2+9)
			h.attribute("y2", y+s.height()+headHeight/2-9)
			if s.broken {
				h.raw(" class=\"broken\"")
			}
			h.raw("/>\n")
		}
		h.stop(s, y)
		y += s.height()
	}
	h.endFigure()
}

func (h *html) stop(s *stop, y int) {
	h.raw("<circle")
	h.attribute("cx", railX)
	h.attribute("cy", y+headHeight/2)
	switch s.mark {
	case hollow:
		h.raw(" r=\"5\" class=\"hollow\"/>\n")
	case target:
		h.raw(" r=\"7\" class=\"target\"/>\n")
	default:
		h.raw(" r=\"5\"/>\n")
	}
	class := "head"
	if s.mark == hollow {
		class = "unknown"
	}
	h.label(textX, y+headHeight/2+5, class, s.head, s.aside)
	for i, l := range s.lines {
		class := "note"
		if l.kind == value {
			class = "value"
		}
		h.label(textX, y+headHeight+lineHeight*i+10, class, l, "")
	}
}

// bands are what lies behind stops that share a place.
func (h *html) bands(stops []stop) {
	top, y := 4, 4
	for i := range stops {
		y += stops[i].height()
		if i+1 < len(stops) && stops[i+1].band == stops[i].band {
			continue
		}
		if stops[i].band != "" {
			h.band(&stops[i], top, y-top)
		}
		top = y
	}
}

func (h *html) band(s *stop, y, height int) {
	h.raw("<rect x=\"0\" width=\"100%\" rx=\"8\"")
	h.attribute("y", y+1)
	h.attribute("height", height-2)
	if s.tint {
		h.raw(" class=\"tint\"/>\n")
	} else {
		h.raw(" class=\"band\"/>\n")
	}
	h.raw("<text x=\"100%\" dx=\"-12\" class=\"band-name\"")
	h.attribute("y", y+height-10)
	h.raw(">")
	h.text(s.band)
	h.raw("</text>\n")
}
