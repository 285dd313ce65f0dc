package source

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// packedExt ends the names of rotated files that were compressed, as logrotate's compress does.
const packedExt = ".gz"

// rotation is what rotating adds to the name of a file: a number or a date, as logrotate with any of
// its settings (rotate, dateext, dateformat) and most others do.
var rotation = regexp.MustCompile(`^[._-][0-9][0-9TZ._:-]*$`)

// A rotated file stands next to the one that is followed.
type rotated struct {
	path   string
	suffix string
	info   os.FileInfo
}

// rotations returns the rotated files of path, oldest first. Without permission to list the
// directory there are none.
func rotations(path string) []rotated {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	plain := map[string]bool{}
	for _, e := range entries {
		plain[e.Name()] = true
	}
	var all []rotated
	for _, e := range entries {
		name, packed := strings.CutSuffix(e.Name(), packedExt)
		suffix, ok := rotationOf(filepath.Base(path), name)
		if !ok || packed && plain[name] { // compressed just now: the other is still complete
			continue
		}
		file := filepath.Join(filepath.Dir(path), e.Name())
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			all = append(all, rotated{file, suffix, info})
		}
	}
	slices.SortFunc(all, rotated.compare)
	return all
}

// rotationOf returns what rotating added to base to make name: behind it, or before its extension.
func rotationOf(base, name string) (suffix string, ok bool) {
	if suffix, ok = strings.CutPrefix(name, base); !ok {
		ext := filepath.Ext(base)
		if suffix, ok = strings.CutPrefix(name, strings.TrimSuffix(base, ext)); ok {
			suffix, ok = strings.CutSuffix(suffix, ext)
		}
	}
	return suffix, ok && rotation.MatchString(suffix)
}

// compare orders by the time of the last write. Where that is the same, a higher number is older,
// and so is an earlier date.
func (r rotated) compare(o rotated) int {
	if c := r.info.ModTime().Compare(o.info.ModTime()); c != 0 {
		return c
	}
	const longestNumber = len(".999")
	if len(r.suffix) > longestNumber || len(o.suffix) > longestNumber {
		return cmp.Compare(r.suffix, o.suffix)
	}
	return cmp.Or(cmp.Compare(len(o.suffix), len(r.suffix)), cmp.Compare(o.suffix, r.suffix))
}

// after returns the files of all that came after the one described by info, or, if that is not among
// them, those that were written after modified.
func after(all []rotated, info os.FileInfo, modified time.Time) []rotated {
	for i, r := range all {
		if os.SameFile(r.info, info) {
			return all[i+1:]
		}
	}
	return unread(all, place{Modified: modified})
}

// unread returns the files of all from the one of which at tells, which nothing was read of, or that
// were written later.
func unread(all []rotated, at place) []rotated {
	for i, r := range all {
		if fileID(r.info) == at.File && at.Head == 0 || r.info.ModTime().After(at.Modified) {
			return all[i:]
		}
	}
	return nil
}

// newest returns when the newest of all was last written, or a time before any file. Only the times of
// files can be held against those of other files: our clock is ahead of that of a file system, by
// milliseconds on the same machine, by more on another.
func newest(all []rotated) time.Time {
	if len(all) == 0 {
		return time.Unix(0, 0).UTC()
	}
	return all[len(all)-1].info.ModTime().UTC()
}
