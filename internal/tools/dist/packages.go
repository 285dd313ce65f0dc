package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers itself
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers itself
)

// maintainer stands in the packages, which nobody signs yet.
const maintainer = "The filelessd authors <maintainers@filelessd.invalid>"

// writePackage writes a package of that format by examples/packaging/nfpm.yaml.
func (r *release) writePackage(format, stage, arch string) error {
	values := map[string]string{"VERSION": r.pkg, "ARCH": arch, "STAGE": stage, "MAINTAINER": maintainer}
	conf, err := nfpm.ParseFileWithEnvMapping(filepath.Join(packaging, "nfpm.yaml"), func(name string) string { return values[name] })
	if err != nil {
		return err
	}
	conf.MTime = r.time
	info, err := conf.Get(format)
	if err != nil {
		return err
	}
	for _, c := range info.Contents { // a mode that is not said would come from the checkout
		if c.FileInfo == nil {
			c.FileInfo = &files.ContentFileInfo{}
		}
		if c.FileInfo.Mode == 0 {
			c.FileInfo.Mode = 0o644
		}
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	var data bytes.Buffer
	info.Target = filepath.Join(r.out, packager.ConventionalFileName(info))
	if err := packager.Package(info, &data); err != nil {
		return err
	}
	if _, err := os.Stat(info.Target); err == nil {
		return fmt.Errorf("%s is there already", info.Target)
	}
	return writePublic(info.Target, data.Bytes())
}
