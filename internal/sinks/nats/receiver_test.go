package nats

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const password = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"

func fake(t *testing.T, maxPayload int) func(net.Conn, *sinktest.Server) {
	return func(conn net.Conn, s *sinktest.Server) {
		fmt.Fprintf(conn, `INFO {"server_id":"x","version":"2.9.10","proto":1,"headers":true,"max_payload":%d,"auth_required":true}`+"\r\n", maxPayload)
		sids := map[string]string{}
		for reader := bufio.NewReader(conn); ; {
			line, err := reader.ReadString('\n')
			if err != nil {
				return
			}
			words := strings.Fields(line)
			switch words[0] {
			case "CONNECT":
				if !strings.Contains(line, `"pass":"`+password+`"`) {
					fmt.Fprintf(conn, "-ERR 'Authorization Violation: %s'\r\n", strings.TrimSpace(line))
					return
				}
			case "PING":
				fmt.Fprint(conn, "PONG\r\n")
			case "SUB":
				sids[words[1]] = words[len(words)-1]
			case "HPUB":
				head, _ := strconv.Atoi(words[3])
				size, _ := strconv.Atoi(words[4])
				message := make([]byte, size+2)
				if _, err := io.ReadFull(reader, message); err != nil {
					return
				}
				checkHeader(t, message[:head], message[head:size])
				ack := `{"stream":"REPORTS","seq":1}`
				switch s.Take(message[head:size]) {
				case sinktest.Rejects:
					ack = `{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed of ` + password + `"},"stream":"REPORTS","seq":0}`
				case sinktest.Fails:
					return // cut after it was read
				}
				for subject, sid := range sids {
					if strings.HasPrefix(words[2], strings.TrimSuffix(subject, "*")) {
						fmt.Fprintf(conn, "MSG %s %s %d\r\n%s\r\n", words[2], sid, len(ack), ack)
					}
				}
			}
		}
	}
}

func checkHeader(t *testing.T, header, body []byte) {
	lines, ok := bytes.CutPrefix(header, []byte("NATS/1.0\r\n"))
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(lines))).ReadMIMEHeader()
	id := h.Get("Nats-Msg-Id")
	if !ok || err != nil || id == "" || !bytes.Contains(body, []byte(id)) || h.Get("Filelessd-Thread") == "" {
		t.Errorf("header %q, %v", header, err)
	}
}

func configured(address string) Config {
	c := defaults()
	c.URL, c.Username, c.Password = sink.Secret("nats://"+address), "filelessd", password
	return c
}

func opened(t testing.TB, c Config) *natsSink {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	to, err := Kind.Open(t.Context(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	s, _ := to.(*natsSink)
	return s
}
