package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/server"
)

// daemonFlags are those of every command that talks to the daemon.
type daemonFlags struct {
	Config  string `short:"c" placeholder:"FILE" help:"Configuration of the daemon, of which only data_dir is read; without it the one that run would take."`
	DataDir string `placeholder:"DIR" help:"The daemon's data_dir, instead of a configuration."`
	Output  string `short:"o" enum:"text,json" default:"text" help:"Format: text or json."`
}

func (f daemonFlags) json() bool { return f.Output == "json" }

// dataDir is where the daemon keeps its log and its socket.
func (p *program) dataDir(f daemonFlags) (string, error) {
	if f.DataDir != "" {
		return f.DataDir, nil
	}
	path := f.Config
	if path == "" {
		if missing(defaultConfig) {
			return config.Default().DataDir, nil
		}
		path = defaultConfig
	}
	env, err := p.configEnv()
	if err != nil {
		return "", err
	}
	dir, err := config.LoadDataDir(path, env)
	if err != nil {
		return "", usage(err)
	}
	return dir, nil
}

// errNoDaemon: nobody answers on the socket.
var errNoDaemon = errors.New("no daemon runs")

// ask has the daemon answer a command; answer is a pointer to what its answer is decoded into. What needs
// nothing but the log is answered from the log itself where no daemon runs.
func (p *program) ask(f daemonFlags, command string, request, answer any) error {
	dir, err := p.dataDir(f)
	if err != nil {
		return err
	}
	err = askDaemon(p.ctx, filepath.Join(dir, server.ControlName), command, request, answer)
	if errors.Is(err, errNoDaemon) && app.AnswersOffline(command) {
		return p.askLog(dir, command, request, answer)
	}
	return err
}

func (p *program) askLog(dir, command string, request, answer any) (err error) {
	if p.offline == nil {
		if p.offline, err = app.OpenOffline(p.ctx, dir); err != nil {
			return fmt.Errorf("%w with this data_dir, and its log can not be read: %w", errNoDaemon, err)
		}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	said, err := p.offline.Ask(p.ctx, command, body)
	if server.IsWrong(err) {
		return usage(err)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(said, answer)
}

func askDaemon(ctx context.Context, socket, command string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return listen.DialPrivate(ctx, socket)
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://filelessd"+server.ControlPath+command, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return explainSocket(socket, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
			return fmt.Errorf("the daemon's answer: %w", err)
		}
		return nil
	}
	return refusal(resp)
}

// explainSocket says what keeps this program from talking to the daemon.
func explainSocket(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w with this data_dir: %s does not exist", errNoDaemon, socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w with this data_dir any more: %s is what a killed one has left", errNoDaemon, socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to talk to the daemon over %s: only the user that it runs as, and root, may", socket)
	}
	return fmt.Errorf("%s: %w", socket, err)
}

// refusal makes an error of an answer that is not 200.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var said server.Refusal
	isRefusal := json.Unmarshal(text, &said) == nil && said.Error != ""
	switch {
	case isRefusal && resp.StatusCode == http.StatusBadRequest:
		return usage(errors.New(said.Error))
	case isRefusal:
		return errors.New(said.Error)
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("the running daemon, version %s, does not know this command: this program is version %s; restart the daemon",
			resp.Header.Get(server.VersionHeader), Version())
	}
	return fmt.Errorf("the daemon answers %s", resp.Status)
}

// writeJSON writes v for programs.
func (p *program) writeJSON(v any) error {
	e := json.NewEncoder(p.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
