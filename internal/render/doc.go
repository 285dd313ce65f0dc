// Package render writes a report for people (HTML, Markdown, text) and for programs (JSON). Every renderer
// is a function of the report alone: the same report gives the same bytes.
//
// A report becomes a page first: a list of blocks, such as headings and tables, made of lines, made
// of spans. There is one function a section, shared by all formats for people, and one writer a
// format, which knows blocks and spans but no report. So a new section appears in every format, a
// new format has every section, and what a format has to escape it escapes in one place.
//
// A span says whether it is text or a value of the alert. Both are hostile: a value was chosen by
// whoever ran the program, and titles, summaries and reasons quote such values. Making a span shows
// what could not be seen (report.Visible) and cuts what is too long, alike for all formats. The
// writer then keeps each span inside its heading, cell, fence, quote or line.
//
// Drawings, and parts that a reader unfolds, are blocks too. HTML has them; formats that do not drop
// the drawings, since what they show stands in words and tables beside them, and unfold the rest.
//
// Templates were the other choice. They escape where their author remembers to, and no two formats
// would cut and show a value alike. For HTML, html/template would escape by context; here no value
// ever stands in a context but text: no attribute, style or address is made of one.
package render
