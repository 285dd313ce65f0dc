package analyze

import (
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/match"
)

// findStarter is about who started the program: parent, ancestors, a person's session.
func (a *Analyzer) findStarter(s *subject) {
	parent := known(s, "proc.pname", "proc.pexepath", "proc.pcmdline")
	lists := &a.base.Lists
	name := match.Base(s.ParentPath)
	if name == "" {
		name = s.Parent
	}
	switch {
	case len(serviceAbove(a, s)) > 0:
		a.found(s, "parent_service", serviceAbove(a, s)...)
	case s.has("R4"):
		a.found(s, "parent_session", s.evidenceOf("R4")...)
	case len(parent) == 0:
	case lists.RuntimeShims.HasPrefixOf(name):
		a.found(s, "parent_shim", parent...)
	case lists.RuntimeTools.HasName(name):
		a.found(s, "parent_runtime", parent...)
	case lists.Shells.HasName(name):
		a.found(s, "parent_shell", parent...)
	case lists.Languages.HasName(name):
		a.found(s, "parent_interpreter", parent...)
	default:
		a.found(s, "parent_known", parent...)
	}
	a.found(s, "parent_in_memory", parentInMemory(a, s)...)
	a.found(s, "ancestors", known(s, "proc.aname[2]", "proc.aname[3]")...)
	switch s.LoginUID {
	case "":
	case "-1", "4294967295":
		a.found(s, "no_login", "user.loginuid")
	default:
		a.found(s, "login", known(s, "user.loginuid", "user.loginname")...)
	}
	a.found(s, "terminal", terminal(a, s)...)
}

// findRights is about what the program may do.
func (a *Analyzer) findRights(s *subject) {
	root := s.UID == "0" || s.UID == "" && s.User == "root"
	evidence := known(s, "user.uid", "user.name")
	switch {
	case root && s.InContainer() && s.UID == "0":
		a.found(s, "root_unmapped", evidence...)
	case root && s.InContainer():
		a.found(s, "root_in_container", evidence...)
	case root && s.OnHost():
		a.found(s, "root_on_host", evidence...)
	case s.UID != "" && !root:
		a.found(s, "not_root", evidence...)
	}
	switch {
	case !s.InContainer():
	case s.has("R3"):
		a.found(s, "far_reaching", s.evidenceOf("R3")...)
	case s.Privileged == "false":
		a.found(s, "not_privileged", "container.privileged")
	}
}

func (a *Analyzer) findPlace(s *subject) {
	switch {
	case s.Pod != "":
		a.found(s, "in_pod", known(s, "k8s.pod.name", "k8s.ns.name", "container.id")...)
	case s.InContainer():
		a.found(s, "in_container", known(s, "container.id", "container.name")...)
	case s.OnHost():
		a.found(s, "on_host", "container.id")
	}
	if s.InContainer() {
		a.found(s, "generated_name", generatedName(a, s)...)
		switch {
		case s.ImageDigest != "":
			a.found(s, "image_fixed", known(s, "container.image.repository", "container.image.tag", "container.image.digest")...)
		case s.Image != "":
			a.found(s, "image_by_name", known(s, "container.image.repository", "container.image.tag")...)
		}
		if age, ok := s.containerAge(); ok {
			a.found(s, ageFinding(age), "container.start_ts")
		}
	}
	switch {
	case s.Cwd == "" || s.Cwd == "/":
	case a.base.Lists.TemporaryDirectories.HasPrefixOf(strings.TrimSuffix(s.Cwd, "/") + "/"):
		a.found(s, "cwd_temporary", "proc.cwd")
	default:
		a.found(s, "cwd", "proc.cwd")
	}
}

// containerAge is how long the container had been running; clocks that disagree tell nothing.
func (s *subject) containerAge() (time.Duration, bool) {
	text, ok := s.event.Field("container.start_ts")
	if !ok || s.event.Time.IsZero() {
		return 0, false
	}
	start, err := strconv.ParseInt(text, 10, 64)
	if err != nil || start <= 0 {
		return 0, false
	}
	age := s.event.Time.Sub(time.Unix(0, start))
	return age, age >= 0
}

func ageFinding(age time.Duration) string {
	switch {
	case age < time.Minute:
		return "container_age_seconds"
	case age < time.Hour:
		return "container_age_minutes"
	case age < 48*time.Hour:
		return "container_age_hours"
	default:
		return "container_age_days"
	}
}
