package redisstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/pkg/sink"
)

// client is a connection that speaks RESP, Redis's protocol, as far as this sink needs it.
//
// A library was weighed: go-redis repeats commands by itself, and dials and pools by its own rules, where a
// sink needs four commands and to know what became of each. What is lost with it is the way through a
// cluster and Sentinel.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	writer *bufio.Writer
}

// replyError is what Redis answers to a command that it refuses.
type replyError string

func (e replyError) Error() string { return string(e) }

func newClient(conn net.Conn) *client {
	return &client{conn: conn, reader: bufio.NewReader(conn), writer: bufio.NewWriterSize(conn, 64<<10)}
}

// dial connects, shows who it is and chooses the database.
func dial(ctx context.Context, d sink.Dialer, t target) (*client, error) {
	conn, err := d.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := newClient(conn)
	var commands [][]string
	switch {
	case t.username != "":
		commands = append(commands, []string{"AUTH", t.username, t.password})
	case t.password != "":
		commands = append(commands, []string{"AUTH", t.password})
	}
	if t.database != "" && t.database != "0" {
		commands = append(commands, []string{"SELECT", t.database})
	}
	for _, command := range commands { // one by one: what follows a refusal is not to be sent
		if _, err = c.do(ctx, [][]string{command}); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return c, nil
}

// do sends commands at once and returns their replies. An error is the first refusal or what
// happened to the connection; of several, replies tells each.
func (c *client) do(ctx context.Context, commands [][]string) (replies []error, err error) {
	release := sink.Until(ctx, c.conn)
	defer func() {
		if !release() && err == nil {
			err = ctx.Err()
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Written beside reading: a server that answers at length before it has read all would wait for us.
	wrote := make(chan error, 1)
	go func() { wrote <- c.write(commands) }()
	for range commands {
		refused, broken := c.read(0)
		if broken != nil {
			_ = c.conn.Close() // which ends the write
			if failed := <-wrote; failed != nil && !errors.Is(failed, net.ErrClosed) {
				broken = errors.Join(broken, failed)
			}
			if ctx.Err() != nil {
				broken = fmt.Errorf("%w: %w", ctx.Err(), broken)
			}
			return replies, broken
		}
		if refused != nil && err == nil {
			err = refused
		}
		replies = append(replies, refused)
	}
	if failed := <-wrote; failed != nil {
		return replies, failed
	}
	return replies, err
}

func (c *client) write(commands [][]string) error {
	w := c.writer
	for _, command := range commands {
		_, _ = w.WriteString("*" + strconv.Itoa(len(command)) + "\r\n")
		for _, word := range command { // with its length, so that no value ends early
			_, _ = w.WriteString("$" + strconv.Itoa(len(word)) + "\r\n")
			_, _ = w.WriteString(word)
			_, _ = w.WriteString("\r\n")
		}
	}
	return w.Flush()
}

const (
	longestReply = 1 << 20
	deepestReply = 4
)

// read reads one reply. What Redis says is of no interest but for refusals.
func (c *client) read(depth int) (refused, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, ended(err)
	}
	text := strings.TrimRight(string(line), "\r\n")
	if text == "" {
		return nil, errors.New("not an answer of Redis: an empty line")
	}
	switch text[0] {
	case '+', ':', '_', '#', ',':
		return nil, nil
	case '-':
		return replyError(text[1:]), nil
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil || n < -1 || n > longestReply || depth > deepestReply {
		return nil, fmt.Errorf("not an answer of Redis: %.100q", text)
	}
	switch {
	case n == -1:
		return nil, nil
	case text[0] == '$':
		_, err := io.CopyN(io.Discard, c.reader, int64(n)+2)
		return nil, ended(err)
	case text[0] == '*':
		for range n {
			inner, err := c.read(depth + 1)
			if err != nil {
				return nil, err
			}
			if refused == nil {
				refused = inner
			}
		}
		return refused, nil
	}
	return nil, fmt.Errorf("not an answer of Redis: %.100q", text)
}

// ended says what an end in the middle is.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the connection was closed before the answer")
	}
	return err
}
