package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM lists what the linker put into a binary, as CycloneDX 1.6: the Go modules with their versions and
// checksums, and the standard library.
func (r *release) writeSBOM(name, binary, arch string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	program := &cdx.Component{
		BOMRef: "filelessd", Type: cdx.ComponentTypeApplication, Name: "filelessd", Version: r.pkg,
		PackageURL: purl(module, r.version) + "?goarch=" + arch + "&goos=linux#cmd/filelessd",
		Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		ExternalReferences: &[]cdx.ExternalReference{
			{Type: cdx.ERTypeVCS, URL: "https://" + module, Comment: "commit " + r.commit},
		},
	}
	components, needs := []cdx.Component{}, []string{}
	add := func(c cdx.Component) {
		c.Type, c.BOMRef = cdx.ComponentTypeLibrary, c.PackageURL
		components, needs = append(components, c), append(needs, c.BOMRef)
	}
	add(cdx.Component{Name: "std", Version: info.GoVersion, PackageURL: purl("std", strings.TrimPrefix(info.GoVersion, "go"))})
	for _, m := range info.Deps { // sorted by the linker
		c, err := library(m)
		if err != nil {
			return err
		}
		add(c)
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(sum)
	bom.Metadata = &cdx.Metadata{Timestamp: r.time.Format("2006-01-02T15:04:05Z"), Component: program}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: program.BOMRef, Dependencies: &needs}}
	var text bytes.Buffer
	if err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return err
	}
	return writePublic(name, text.Bytes())
}

// library is a module; its checksum is that of go.sum, of the names and contents of its files.
func library(m *debug.Module) (cdx.Component, error) {
	if m.Replace != nil {
		m = m.Replace
	}
	encoded, ok := strings.CutPrefix(m.Sum, "h1:")
	sum, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return cdx.Component{}, fmt.Errorf("module %s: checksum %q", m.Path, m.Sum)
	}
	return cdx.Component{
		Name: m.Path, Version: m.Version, PackageURL: purl(m.Path, m.Version),
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}},
	}, nil
}

// purl is the name that vulnerability scanners look a module up by.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// serial is the number of the SBOM of the binary with that checksum: a UUID of version 8, which is made of
// the checksum and nothing else.
func serial(sum [sha256.Size]byte) string {
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
