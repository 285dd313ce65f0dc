package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/pkg/report"
)

type silenceCommand struct {
	Add    silenceAddCommand    `cmd:"" help:"Withhold the reports that an expression is true of, from all sinks, for a while. They stay in the log."`
	List   silenceListCommand   `cmd:"" help:"List those in force, and those that ended lately."`
	Expire silenceExpireCommand `cmd:"" help:"End one now."`
}

type silenceAddCommand struct {
	daemonFlags
	Matcher string        `arg:"" help:"Which reports, in the language of when, such as 'hostname == \"build-1\" && technique == \"memfd_exec\"'."`
	Reason  string        `required:"" help:"Why."`
	Author  string        `help:"Who withholds them; without it the user that is logged in."`
	For     time.Duration `help:"How long from now, such as 2h."`
	Until   time.Time     `placeholder:"TIME" help:"Until when, such as 2026-11-23T12:00:00Z."`
}

// Run adds a silence.
func (c *silenceAddCommand) Run(p *program) error {
	s := app.Silence{Matcher: c.Matcher, Reason: c.Reason, Author: cmp.Or(c.Author, p.user()), Expires: c.Until}
	switch {
	case (c.For != 0) == !c.Until.IsZero():
		return usage(errors.New("say how long: --for or --until, one of them"))
	case c.For < 0:
		return usage(fmt.Errorf("--for: want more than 0, got %s", c.For))
	case c.For > 0:
		s.Expires = time.Now().Add(c.For).UTC().Truncate(time.Second)
	}
	if err := p.ask(c.daemonFlags, app.CommandSilenceAdd, s, &s); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(s)
	}
	_, err := fmt.Fprintf(p.Stdout, "silence %s until %s\n", s.ID, shown(s.Expires))
	return err
}

// user is who calls the program: who became root keeps their name.
func (p *program) user() string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if user, ok := p.LookupEnv(name); ok && user != "" {
			return user
		}
	}
	return ""
}

type silenceListCommand struct{ daemonFlags }

// Run lists.
func (c *silenceListCommand) Run(p *program) error {
	var all []app.Silence
	if err := p.ask(c.daemonFlags, app.CommandSilenceList, app.Nothing{}, &all); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "no silences")
		return err
	}
	now := time.Now()
	t := new(table)
	t.add("ID", "STATE", "UNTIL", "WITHHELD", "AUTHOR", "MATCHER", "REASON")
	for _, s := range all {
		state := "in force"
		if !now.Before(s.Expires) {
			state = "ended"
		}
		t.add(s.ID, state, shown(s.Expires), strconv.FormatUint(s.Withheld, 10), cut(s.Author, 30), s.Matcher, s.Reason)
	}
	return t.write(p.Stdout)
}

type silenceExpireCommand struct {
	daemonFlags
	ID string `arg:"" help:"Id of the silence, or as much of its beginning as tells it from others."`
}

// Run ends a silence.
func (c *silenceExpireCommand) Run(p *program) error {
	var s app.Silence
	if err := p.ask(c.daemonFlags, app.CommandSilenceExpire, app.Silence{ID: c.ID}, &s); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(s)
	}
	_, err := fmt.Fprintf(p.Stdout, "silence %s has ended: %s\n", s.ID, report.Visible(s.Matcher))
	return err
}
