package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A file of the tar.gz.
type file struct {
	from, to string
	mode     int64
}

// tarFiles are what the tar.gz holds, in its order. What is in a directory comes by the names of its files.
func tarFiles(stage string) ([]file, error) {
	list := []file{
		{filepath.Join(stage, "filelessd"), "filelessd", 0o755},
		{"LICENSE", "LICENSE", 0o644},
		{"README.md", "README.md", 0o644},
		{packaging + "/README.md", "INSTALL.md", 0o644},
		{packaging + "/config.yaml", "config.yaml", 0o644},
		{"examples/reference.yaml", "reference.yaml", 0o644},
		{"examples/config.schema.json", "config.schema.json", 0o644},
		{packaging + "/filelessd.logrotate", "logrotate/filelessd", 0o644},
	}
	for _, name := range manuals {
		list = append(list, file{filepath.Join(stage, name), "man/" + name, 0o644})
	}
	for _, dir := range []struct{ from, to string }{
		{packaging + "/completions", "completions"},
		{"examples/systemd", "systemd"},
		{"examples/falco", "falco"},
	} {
		files, err := below(dir.from, dir.to)
		if err != nil {
			return nil, err
		}
		list = append(list, files...)
	}
	return list, nil
}

// below lists the files below a directory, in the order of their names.
func below(from, to string) ([]file, error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, err
	}
	var list []file
	for _, e := range entries {
		inner := file{path.Join(from, e.Name()), path.Join(to, e.Name()), 0o644}
		switch {
		case e.IsDir():
			more, err := below(inner.from, inner.to)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		case !strings.HasSuffix(e.Name(), ".go"):
			list = append(list, inner)
		}
	}
	return list, nil
}

// writeTar writes the tar.gz: everything below one directory, which has the name of the file.
func (r *release) writeTar(name, stage string) error {
	files, err := tarFiles(stage)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	top := strings.TrimSuffix(filepath.Base(name), ".tar.gz")
	for _, f := range files {
		data, err := os.ReadFile(f.from)
		if err != nil {
			return err
		}
		err = w.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: path.Join(top, f.to), Size: int64(len(data)), Mode: f.mode,
			ModTime: r.time, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		})
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return writePublic(name, packed.Bytes())
}
