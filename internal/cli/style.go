package cli

import (
	"strconv"

	"github.com/filelessd/filelessd/internal/render"
)

// Narrower than this a table is no table any more; wider, lines are hard to follow.
const (
	narrowest = 60
	widest    = 120
)

// style is how text looks at stdout. Behind a pipe it is always the same, so that it can be compared.
// Colours: no-color.org, and what TERM and CLICOLOR have meant for long.
func (p *program) style() render.TextStyle {
	if !p.StdoutIsTerminal {
		return render.TextStyle{}
	}
	var s render.TextStyle
	none, _ := p.LookupEnv("NO_COLOR")
	term, _ := p.LookupEnv("TERM")
	cli, _ := p.LookupEnv("CLICOLOR")
	s.Color = none == "" && term != "dumb" && cli != "0"
	s.Width = p.Columns
	if given, ok := p.LookupEnv("COLUMNS"); ok {
		if n, err := strconv.Atoi(given); err == nil && n > 0 {
			s.Width = n
		}
	}
	if s.Width > 0 {
		s.Width = min(max(s.Width, narrowest), widest)
	}
	return s
}
