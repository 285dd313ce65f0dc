package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// progress shows on a terminal how far the reading of a file is.
type progress struct {
	out   io.Writer // nil for none
	name  string
	size  int64
	done  int64
	shown time.Time
	dirty bool
}

func newProgress(p *program) *progress {
	if !p.StderrIsTerminal {
		return &progress{}
	}
	return &progress{out: p.Stderr}
}

func (p *progress) begin(name string, f *os.File) {
	p.name, p.done, p.size = name, 0, 0
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && !strings.HasSuffix(name, ".gz") {
		p.size = info.Size()
	}
}

func (p *progress) step(n int) {
	p.done += int64(n)
	if p.out == nil || p.name == "" || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown, p.dirty = time.Now(), true
	if p.size > 0 {
		fmt.Fprintf(p.out, "\r\x1b[K%s: %d %%", report.Visible(p.name), p.done*100/p.size)
	} else {
		fmt.Fprintf(p.out, "\r\x1b[K%s: %d MB", report.Visible(p.name), p.done/1e6)
	}
}

func (p *progress) clear() {
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}
