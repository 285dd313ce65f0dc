package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// described is what `git describe --tags --always` prints: a tag, or commits after one, or a hash.
var described = regexp.MustCompile(
	`^(?:v?([0-9]+\.[0-9]+\.[0-9]+)(?:-([A-Za-z][0-9A-Za-z.]*))?(?:-([0-9]+)-g([0-9a-f]+))?|([0-9a-f]{7,40}))$`)

// packageVersion turns what git says into a version that dpkg and rpm both take, and sort as git does: what
// comes before a release has ~, and what comes after one has +.
//
//	v1.2.3              1.2.3
//	v1.2.3-rc.1         1.2.3~rc.1
//	v1.2.3-4-g38f83a8   1.2.3+git20261129.134455.38f83a8
//	38f83a8             0.0~git20261129.134455.38f83a8, if there is no tag
//	v1.2.3-dirty        1.2.3+dirty
func packageVersion(describe string, commit time.Time) (string, error) {
	clean, dirty := strings.CutSuffix(describe, "-dirty")
	m := described.FindStringSubmatch(clean)
	if m == nil {
		return "", fmt.Errorf("version %q: want a tag such as v1.2.3 or v1.2.3-rc.1, or what git describe makes of it", describe)
	}
	base, pre, after, hash := m[1], m[2], m[3], cmp.Or(m[4], m[5])
	version := base
	if pre != "" {
		version += "~" + pre
	}
	snapshot := "git" + commit.UTC().Format("20060102.150405.") + hash
	switch {
	case base == "":
		version = "0.0~" + snapshot
	case after != "":
		version += "+" + snapshot
	}
	switch {
	case !dirty:
	case strings.Contains(version, "git"):
		version += ".dirty"
	default:
		version += "+dirty"
	}
	return version, nil
}
