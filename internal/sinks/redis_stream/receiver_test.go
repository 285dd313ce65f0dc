package redisstream

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const password = `pa"ss/w0rd-c2VjcmV0`

func readCommand(r *bufio.Reader) ([]string, error) {
	count := func(sign byte) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if line[0] != sign || !strings.HasSuffix(line, "\r\n") {
			return 0, fmt.Errorf("want %c, got %q", sign, line)
		}
		return strconv.Atoi(line[1 : len(line)-2])
	}
	n, err := count('*')
	if err != nil {
		return nil, err
	}
	var words []string
	for range n {
		size, err := count('$')
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words = append(words, string(word[:size]))
	}
	return words, nil
}

func entry(words []string) ([]string, error) {
	at := slices.Index(words, "*")
	if at < 0 || len(words[at+1:])%2 != 0 {
		return nil, fmt.Errorf("no entry in %.300q", words)
	}
	return words[at+1:], nil
}

func fake(t *testing.T) func(net.Conn, *sinktest.Server) {
	return func(conn net.Conn, s *sinktest.Server) {
		known := false
		for reader := bufio.NewReader(conn); ; {
			words, err := readCommand(reader)
			if err != nil {
				return
			}
			switch {
			case words[0] == "AUTH":
				if known = slices.Equal(words, []string{"AUTH", "filelessd", password}); !known {
					fmt.Fprintf(conn, "-WRONGPASS of %s: %s\r\n", words[1], words[len(words)-1])
					continue
				}
				fmt.Fprint(conn, "+OK\r\n")
			case !known:
				fmt.Fprint(conn, "-NOAUTH Authentication required.\r\n")
			case words[0] == "SELECT" && words[1] == "3":
				fmt.Fprint(conn, "+OK\r\n")
			case words[0] == "PING":
				fmt.Fprint(conn, "+PONG\r\n")
			case words[0] == "EVAL" || words[0] == "XADD":
				fields, err := entry(words)
				if err != nil {
					t.Error(err)
					return
				}
				message, _ := json.Marshal(fields) // of which the ID is one
				switch s.Take(message) {
				case sinktest.Accepts:
					fmt.Fprint(conn, ":1\r\n")
				case sinktest.Rejects:
					fmt.Fprintf(conn, "-ERR string exceeds maximum allowed size, says %s\r\n", password)
				default:
					return // cut after it was read
				}
			default:
				fmt.Fprintf(conn, "-ERR unknown command '%s', with args beginning with: %s\r\n", words[0], password)
			}
		}
	}
}

func certificate(t *testing.T) (config *tls.Config, caFile string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(caFile, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: s.TLS.Certificates}, caFile
}

const userinfo = "filelessd:pa%22ss%2Fw0rd-c2VjcmV0@"

func configured(scheme, address string) Config {
	c := defaults()
	c.URL = sink.Secret(scheme + "://" + userinfo + address + "/3")
	if scheme == "unix" {
		c.URL = sink.Secret(scheme + "://" + userinfo + address + "?db=3")
	}
	return c
}

func opened(t testing.TB, c Config) sink.Sink {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	to, err := Kind.Open(t.Context(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	return to
}
