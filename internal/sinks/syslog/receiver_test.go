package syslog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// parsed is a message as a receiver reads it by the grammar of RFC 5424.
type parsed struct {
	priority                    int
	time, host, app, proc, kind string
	data                        map[string]map[string]string
	text                        string
}

var (
	header  = regexp.MustCompile(`^<(\d{1,3})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `)
	element = regexp.MustCompile(`^\[([!#-<>-\\^-~]{1,32})((?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\.)*")*)\]`)
	param   = regexp.MustCompile(` ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\.)*)"`)
)

func parse(message []byte) (parsed, error) {
	p := parsed{data: map[string]map[string]string{}}
	m := header.FindSubmatch(message)
	if m == nil {
		return p, fmt.Errorf("no header of RFC 5424: %.200q", message)
	}
	p.priority, _ = strconv.Atoi(string(m[1]))
	p.time, p.host, p.app, p.proc, p.kind = string(m[2]), string(m[3]), string(m[4]), string(m[5]), string(m[6])
	rest := string(message[len(m[0]):])
	if after, ok := strings.CutPrefix(rest, "- "); ok {
		p.text = after
		return p, nil
	}
	for {
		m := element.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		params := map[string]string{}
		for _, kv := range param.FindAllStringSubmatch(m[2], -1) {
			params[kv[1]] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\]`, `]`).Replace(kv[2])
		}
		p.data[m[1]] = params
		rest = rest[len(m[0]):]
	}
	if len(p.data) == 0 || !strings.HasPrefix(rest, " ") {
		return p, fmt.Errorf("no structured data: %.300q", rest)
	}
	p.text = rest[1:]
	return p, nil
}

// texts is for sinktest.Medium: what a person is shown.
func texts(message []byte) ([]string, error) {
	p, err := parse(message)
	all := []string{p.text}
	for _, params := range p.data {
		for _, value := range params {
			all = append(all, value)
		}
	}
	return all, err
}

// serveStream takes messages until the sender has closed its half, and then closes the other.
func serveStream(framing string) func(net.Conn, *sinktest.Server) {
	return func(conn net.Conn, s *sinktest.Server) {
		for reader := bufio.NewReader(conn); ; {
			message, err := readFrame(reader, framing)
			if err != nil {
				return
			}
			if s.Take(message) == sinktest.Fails {
				reset(conn)
				return
			}
		}
	}
}

// reset has the connection cut as by a receiver that stops with something unread.
func reset(conn net.Conn) {
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = inner.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.Close() // without TLS's farewell
	}
}

func readFrame(r *bufio.Reader, framing string) ([]byte, error) {
	if framing == "newline" {
		line, err := r.ReadBytes('\n')
		return bytes.TrimSuffix(line, []byte("\n")), err
	}
	digits, err := r.ReadString(' ')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(digits, " "))
	if err != nil || n <= 0 {
		return nil, fmt.Errorf("no length: %q", digits)
	}
	message := make([]byte, n)
	_, err = io.ReadFull(r, message)
	return message, err
}

// datagrams is a receiver of datagrams. It reads all the time: a socket of this machine holds ten, and then
// senders wait.
type datagrams struct {
	t       *testing.T
	address string
	conn    net.PacketConn
	marked  chan struct{}

	mu  sync.Mutex
	got [][]byte
}

// marker is what received sends to itself: what is before it has arrived.
const marker = "so far"

func newDatagrams(t *testing.T, network string) *datagrams {
	address := "127.0.0.1:0"
	if network == "unixgram" {
		address = t.TempDir() + "/s"
	}
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := conn.(interface{ SetReadBuffer(int) error }); ok {
		_ = c.SetReadBuffer(4 << 20)
	}
	d := &datagrams{t: t, address: conn.LocalAddr().String(), conn: conn, marked: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() { defer close(done); d.read() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return d
}

func (d *datagrams) read() {
	for buffer := make([]byte, 1<<20); ; {
		n, _, err := d.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if string(buffer[:n]) == marker {
			d.marked <- struct{}{}
			continue
		}
		d.mu.Lock()
		d.got = append(d.got, bytes.Clone(buffer[:n]))
		d.mu.Unlock()
	}
}

// received is what has arrived up to now.
func (d *datagrams) received() [][]byte {
	d.mark()
	<-d.marked
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([][]byte(nil), d.got...)
}

func (d *datagrams) mark() {
	to, err := new(net.Dialer).DialContext(d.t.Context(), d.conn.LocalAddr().Network(), d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer to.Close()
	if _, err := io.WriteString(to, marker); err != nil {
		d.t.Fatal(err)
	}
}

func openWith(t *testing.T, c Config) func() (sink.Sink, error) {
	return func() (sink.Sink, error) {
		if err := c.Validate(); err != nil {
			return nil, err
		}
		return Kind.Open(t.Context(), c, sinktest.Env())
	}
}
