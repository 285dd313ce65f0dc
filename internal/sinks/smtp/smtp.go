// Package smtp is the sink that sends reports as mail.
//
// A mail is written once and for all before the server is asked, so that a repeat is the same mail with the
// same Message-ID. Nothing is signed or encrypted for the recipients: that is for the mail server, which
// does so for all mail of the house.
package smtp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "smtp",
	Summary: "sends reports as mail",
	Default: func() Config {
		return Config{Encryption: startTLS, SubjectPrefix: "[filelessd]", Report: true}
	},
	Open: open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	config, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	m := &mailer{config: c, env: env, tls: config, hello: c.helloName(), now: time.Now}
	if m.from, err = address(c.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	for _, text := range c.To {
		to, err := address(text)
		if err != nil {
			return nil, fmt.Errorf("to: %w", err)
		}
		m.to = append(m.to, to)
	}
	return m, nil
}

type mailer struct {
	config Config
	env    sink.Env
	tls    *tls.Config // nil without
	hello  string
	from   *mail.Address
	to     []*mail.Address
	now    func() time.Time
}

// Deliver sends r over a connection of its own: servers close those that wait for the next alert.
func (m *mailer) Deliver(ctx context.Context, r *report.Report) error {
	return m.DeliverBatch(ctx, []*report.Report{r})[0]
}

// DeliverBatch sends a mail for each over one connection.
func (m *mailer) DeliverBatch(ctx context.Context, rs []*report.Report) []error {
	errs := make([]error, len(rs))
	var line line
	defer line.hangUp()
	for i, r := range rs {
		if line.err != nil { // nobody answers, or the login is refused: once is enough
			errs[i] = line.err
			continue
		}
		message, err := m.message(r, sink.ThreadKey(ctx, r))
		if err != nil {
			errs[i] = sink.Permanent(err)
			continue
		}
		errs[i] = m.hide(m.deliver(ctx, &line, r.ID, message))
	}
	return errs
}

// line is the connection of a batch, as far as there is one.
type line struct {
	*session
	err error // why there is none
}

func (l *line) hangUp() {
	if l.session != nil {
		l.quit()
		l.session = nil
	}
}

// deliver sends one mail, for which it connects if need be. Servers end a connection after so many mails;
// before the text of the next that costs nothing but another connection.
func (m *mailer) deliver(ctx context.Context, l *line, id string, message []byte) error {
	for {
		fresh := l.session == nil
		if fresh {
			s, err := m.connect(ctx)
			if err != nil {
				l.err = m.hide(err)
				return err
			}
			l.session = s
		}
		err := m.send(l.session, id, message)
		if !l.broken {
			return err
		}
		again := !fresh && !l.sent && ctx.Err() == nil
		l.hangUp()
		if !again {
			return err
		}
	}
}

// send sends one mail to those who do not have it yet. A recipient who can not have it keeps it from no
// other: what was refused to some is an error all the same, and what the others have is remembered, so that
// they get it once.
func (m *mailer) send(s *session, id string, message []byte) error {
	key := "recipients/" + id
	have, _ := m.env.State.Get(key)
	var rest []string
	for _, to := range m.to {
		if !strings.Contains(have, short(to.Address)) {
			rest = append(rest, to.Address)
		}
	}
	if len(rest) == 0 { // a crash came between the last mail and the log
		m.env.State.Put(key, "")
		return nil
	}
	taken, refused, err := s.transact(m.from.Address, rest, message)
	if err != nil {
		return err
	}
	if len(refused) == 0 {
		if have != "" {
			m.env.State.Put(key, "")
		}
		return nil
	}
	for _, to := range taken {
		have += short(to)
	}
	m.env.State.Put(key, have)
	err = fmt.Errorf("the server refused %d of %d recipients: %w", len(refused), len(m.to), join(refused))
	final := !slices.ContainsFunc(refused, func(e *replyError) bool { return e.code/100 != 5 })
	if have != "" && final {
		return sink.Permanent(err) // for the dead letters; the others have it, and the sink works
	}
	return err
}

// short tells recipients apart within the room that a State has.
func short(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:4]) + ";"
}

// Probe connects, encrypts and logs in. No mail is begun.
func (m *mailer) Probe(ctx context.Context) error {
	s, err := m.connect(ctx)
	if err != nil {
		return m.hide(err)
	}
	s.quit()
	return nil
}

// hide takes out what servers repeat when they refuse, also as it is on the wire.
func (m *mailer) hide(err error) error {
	c := m.config
	if c.Password == "" {
		return err
	}
	return sink.Hide(err, sink.Secret("\x00"+c.Username+"\x00"+string(c.Password)), c.Password)
}

// Close has nothing to give back: connections end with the delivery.
func (m *mailer) Close() error { return nil }
