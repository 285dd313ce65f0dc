package smtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"

	client "github.com/wneessen/go-mail/smtp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// session is a connection to the server, ready for mails.
type session struct {
	ctx     context.Context // of the delivery, which it lives no longer than
	conn    net.Conn
	client  *client.Client
	release func() bool
	broken  bool // no further mail goes this way
	sent    bool // of the latest mail, the text was begun
}

// connect returns a session that is encrypted and logged in. Its errors are passing: what a server
// refuses before it has seen a mail is its fault, or the configuration's.
func (m *mailer) connect(ctx context.Context) (*session, error) {
	dialer := sink.Dialer{Network: "tcp", Address: m.config.Address}
	if m.config.Encryption == fromTLS {
		dialer.TLS = m.tls
	}
	conn, err := dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{ctx: ctx, conn: conn, release: sink.Until(ctx, conn)}
	if err := m.greet(s); err != nil {
		s.release()
		_ = conn.Close()
		return nil, fmt.Errorf("%s: %w", m.config.Address, err)
	}
	return s, nil
}

func (m *mailer) greet(s *session) error {
	host := m.config.host()
	var err error
	if s.client, err = client.NewClient(s.conn, host); err != nil {
		return s.failed("greeting", err)
	}
	s.client.SkipSMTPUTF8(true) // the addresses are ASCII
	if err := s.client.Hello(m.hello); err != nil {
		return s.failed("EHLO", err)
	}
	if m.config.Encryption == startTLS {
		// Without it nothing more is said: whoever stands in between can take the offer out.
		if ok, _ := s.client.Extension("STARTTLS"); !ok {
			return errors.New("the server offers no STARTTLS")
		}
		if err := s.client.StartTLS(m.tls.Clone()); err != nil {
			return s.failed("STARTTLS", err)
		}
	}
	if m.config.Password == "" {
		return nil
	}
	_, offered := s.client.Extension("AUTH")
	auth, err := m.auth(strings.Fields(offered), host)
	if err != nil {
		return err
	}
	if err := s.client.Auth(auth); err != nil {
		return s.failed("login", err)
	}
	return nil
}

// auth chooses by what the server offers. The connection is encrypted or does not leave the host.
func (m *mailer) auth(offered []string, host string) (client.Auth, error) {
	user, password := m.config.Username, string(m.config.Password)
	has := func(name string) bool {
		return slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, name) })
	}
	switch {
	case has("PLAIN"):
		return client.PlainAuth("", user, password, host, false), nil
	case has("LOGIN"):
		return client.LoginAuth(user, password, host, false), nil
	case has("CRAM-MD5"):
		return client.CRAMMD5Auth(user, password), nil
	case len(offered) == 0:
		return nil, errors.New("the server offers no login")
	default:
		return nil, fmt.Errorf("the server offers no login that filelessd knows (PLAIN, LOGIN, CRAM-MD5), but %s",
			report.Visible(strings.Join(offered, " ")))
	}
}

// transact sends one mail, and returns who has it and who was refused. err says that nobody has it, or
// that it is not known; it is final if the server has read the mail and will not take it.
func (s *session) transact(from string, to []string, message []byte) (taken []string, refused []*replyError, err error) {
	s.sent = false
	if err := s.client.Mail("<" + from + ">"); err != nil {
		return nil, nil, s.abandon("MAIL FROM:<"+from+">", err)
	}
	for _, address := range to {
		switch err := s.failed("RCPT TO:<"+address+">", s.client.Rcpt("<"+address+">")).(type) { //nolint:errorlint // as failed made it
		case nil:
			taken = append(taken, address)
		case *replyError:
			if s.broken {
				return nil, nil, err
			}
			refused = append(refused, err)
		default:
			return nil, nil, err
		}
	}
	if len(taken) == 0 {
		s.reset()
		return nil, refused, nil
	}
	w, err := s.client.Data()
	if err != nil {
		return nil, nil, s.abandon("DATA", err)
	}
	s.sent = true
	if _, err := w.Write(message); err != nil {
		return nil, nil, s.failed("text", err)
	}
	err = s.failed("text", w.Close())
	if reply, ok := errors.AsType[*replyError](err); ok && reply.code/100 == 5 {
		return nil, nil, sink.Permanent(err)
	}
	return taken, refused, err
}

// abandon is failed for what leaves a mail begun.
func (s *session) abandon(what string, err error) error {
	err = s.failed(what, err)
	if !s.broken {
		s.reset()
	}
	return err
}

func (s *session) reset() { _ = s.failed("RSET", s.client.Reset()) }

// replyError is an answer of the server that says no.
type replyError struct {
	what string
	code int
	text string
}

func (e *replyError) Error() string { return fmt.Sprintf("%s: %d %s", e.what, e.code, e.text) }

// failed says where an error came from, and whether the connection is of further use.
func (s *session) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	reply, ok := errors.AsType[*textproto.Error](err)
	s.broken = s.broken || !ok || reply.Code == 421 // which says that the server hangs up
	if ok {
		text := strings.Join(strings.Fields(reply.Msg), " ")
		return &replyError{what: what, code: reply.Code, text: sink.Fit{Limit: 300, NoteBefore: " "}.Text([]sink.Piece{{Name: "answer", Text: text, Required: true}})}
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err // without the addresses
	}
	if end := s.ctx.Err(); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// quit ends the session. The mails are delivered or not; the server's farewell changes nothing.
func (s *session) quit() {
	if s.release() && !s.broken {
		_ = s.conn.SetDeadline(time.Now().Add(time.Second))
		_ = s.client.Quit()
	}
	_ = s.conn.Close()
}

func join(refused []*replyError) error {
	var text bytes.Buffer
	for i, e := range refused {
		if i == 3 {
			fmt.Fprintf(&text, "; and %d more", len(refused)-i)
			break
		}
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(e.Error())
	}
	return errors.New(text.String())
}
