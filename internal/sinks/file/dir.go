package file

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// renderer is what sink.Output makes.
type renderer = func(*report.Report) ([]byte, error)

// directory writes each report to a file of its own.
type directory struct {
	dir, format, ext string
	render           renderer
}

func openDir(c Config, env sink.Env) (*directory, error) {
	render, err := c.Render(env)
	if err != nil {
		return nil, err
	}
	d := &directory{dir: c.Dir, format: c.Format, render: render}
	d.ext = map[string]string{
		"cef": ".cef", "ecs": ".json", "html": ".html", "json": ".json", "markdown": ".md", "ocsf": ".json",
		"template": ".txt", "text": ".txt",
	}[c.Format]
	if err := os.MkdirAll(c.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	try, err := d.writeTemp(nil)
	if err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	if err := errors.Join(os.Remove(try), sweep(c.Dir, time.Now().Add(-time.Hour))); err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	return d, nil
}

// Deliver writes the file under another name, syncs and renames it, so that under its own name it
// is whole or not there. The kernel's file calls can not be cut short: ctx counts before they begin.
func (d *directory) Deliver(ctx context.Context, r *report.Report) error {
	if !isName(r.ID) {
		return sink.Permanent(fmt.Errorf("the id %q can not be a file name", r.ID))
	}
	text, err := d.render(r)
	if err != nil {
		return sink.Permanent(fmt.Errorf("render as %s: %w", d.format, err))
	}
	if sink.OneLine(d.format) || d.format == sink.FormatTemplate && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	temp, err := d.writeTemp(text)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(d.dir, r.ID+d.ext)); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(d.dir)
}

const tempPrefix, tempSuffix = ".filelessd-", ".tmp"

// writeTemp writes and syncs a new file and returns its path. After an error nothing is left.
func (d *directory) writeTemp(data []byte) (path string, err error) {
	path = filepath.Join(d.dir, tempPrefix+rand.Text()+tempSuffix)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}

// sweep removes the temporary files that were last written before the time given, which a crash
// left over: a younger one can belong to a delivery that is under way.
func sweep(dir string, before time.Time) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(1000) // there can be any number of reports
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), tempPrefix) || !strings.HasSuffix(e.Name(), tempSuffix) {
				continue
			}
			if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// isName reports whether id is letters, digits, dashes and underscores, as all IDs that filelessd
// makes are: nothing that leads out of the directory or hides the file.
func isName(id string) bool {
	const allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	return id != "" && len(id) <= 128 && strings.Trim(id, allowed) == ""
}

// Close does nothing: no file stays open.
func (d *directory) Close() error { return nil }
