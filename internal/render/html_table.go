package render

// cell puts each line on its own.
func (h *html) cell(c cell) {
	if len(c) == 1 {
		h.line(c[0])
		return
	}
	for _, l := range c {
		h.raw("<div>")
		h.line(l)
		h.raw("</div>")
	}
}

func (h *html) table(t table) {
	if t.titles() == nil {
		h.factTable(t)
		return
	}
	h.raw("<div class=\"scroll\">\n<table class=\"rows\">\n<thead><tr>")
	for _, c := range t.columns {
		h.raw("<th scope=\"col\"")
		if c.right {
			h.raw(" class=\"right\"")
		}
		h.raw(">")
		h.text(c.title)
		h.raw("</th>")
	}
	h.raw("</tr></thead>\n<tbody>\n")
	for _, row := range t.rows {
		h.raw("<tr>")
		for i, c := range t.columns {
			// On a phone the cells of a row stand below each other, each under its title.
			h.raw("<td data-title=\"")
			h.text(c.title)
			h.raw("\"")
			switch {
			case c.right:
				h.raw(" class=\"right\"")
			case c.keep:
				h.raw(" class=\"keep\"")
			}
			h.raw(">")
			if i < len(row) {
				h.cell(row[i])
			}
			h.raw("</td>")
		}
		h.raw("</tr>\n")
	}
	h.raw("</tbody>\n</table>\n</div>\n")
}

// factTable is a list of facts: the first cell of a row is its title.
func (h *html) factTable(t table) {
	h.raw("<table class=\"facts\">\n<tbody>\n")
	for _, row := range t.rows {
		for i, c := range row {
			if i == 0 {
				h.raw("<tr><th scope=\"row\">")
				h.cell(c)
				h.raw("</th>")
				continue
			}
			h.raw("<td>")
			h.cell(c)
			h.raw("</td>")
		}
		h.raw("</tr>\n")
	}
	h.raw("</tbody>\n</table>\n")
}
