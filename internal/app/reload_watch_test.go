package app

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/sinks"
)

// watchedFiles is a configuration on disk, looked at by a test's clock.
type watchedFiles struct {
	t     *testing.T
	file  string
	watch *fileWatch
	now   time.Time
	loads int
}

func (w *watchedFiles) load() (*config.Config, error) {
	w.loads++
	return config.Load(w.file, config.Env{Sinks: sinks.Builtin(), Now: w.now})
}

func newWatchedFiles(t *testing.T, file string) *watchedFiles {
	t.Helper()
	w := &watchedFiles{t: t, file: file, now: time.Unix(1_800_000_000, 0)}
	conf, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	a := &App{config: conf, options: Options{Load: w.load}}
	w.watch = a.newFileWatch(w.now)
	return w
}

// look says whether the next look wants a reload.
func (w *watchedFiles) look() bool {
	w.now = w.now.Add(lookEvery)
	return w.watch.wants(w.now)
}

// twice says whether one of the next two looks wants a reload: a change has to stand still for one.
func (w *watchedFiles) twice() bool {
	first := w.look()
	return w.look() || first
}

// reload reads the configuration as the daemon would.
func (w *watchedFiles) reload() error {
	w.t.Helper()
	w.watch.reading(w.now)
	conf, err := w.load()
	if err != nil {
		w.watch.read(w.watch.config, nil, err)
		return err
	}
	w.watch.read(conf, conf, nil)
	return nil
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const minimal = "sources:\n  hook: {type: falco_http, listen: '127.0.0.1:0'}\nsinks:\n  soc: {type: webhook, url: http://127.0.0.1:1/}\n"

func TestWatchWaitsUntilNobodyWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, minimal)
	w := newWatchedFiles(t, file)
	if w.twice() {
		t.Fatal("nothing changed")
	}
	for n := range 3 {
		write(t, file, minimal+"#"+time.Duration(n).String())
		if err := os.Chtimes(file, time.Time{}, w.now.Add(time.Duration(n)*time.Second)); err != nil {
			t.Fatal(err)
		}
		if w.look() {
			t.Fatal("read while somebody writes")
		}
	}
	if !w.look() {
		t.Fatal("a change was not seen")
	}
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if w.twice() {
		t.Error("the same change twice")
	}
	// Gone for a moment, as with editors that write another file and rename it.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if w.look() {
		t.Error("gone for one look")
	}
	write(t, file, minimal+"# renamed")
	w.look()
	if !w.look() {
		t.Error("a file in the place of another was not seen")
	}
}

// TestWatchConfigMap: Kubernetes changes a mounted ConfigMap by the symbolic link ..data, and no file that
// the daemon has opened ever changes.
func TestWatchConfigMap(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"..1", "..2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "config.yaml"), minimal)
	}
	err := errors.Join(os.Symlink("..1", filepath.Join(dir, "..data")), os.Symlink("..data/config.yaml", filepath.Join(dir, "config.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	w := newWatchedFiles(t, filepath.Join(dir, "config.yaml"))
	w.look()
	err = errors.Join(os.Symlink("..2", filepath.Join(dir, "..tmp")), os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	if err != nil {
		t.Fatal(err)
	}
	w.look()
	if !w.look() {
		t.Error("the swap was not seen")
	}
}

// TestWatchSecrets: a secret or a certificate that changes is a change, also one that the configuration did
// not name before.
func TestWatchSecrets(t *testing.T) {
	dir := t.TempDir()
	file, secret, ca := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "secret"), filepath.Join(dir, "ca.pem")
	cert, key, clients := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "clients")
	write(t, file, minimal)
	w := newWatchedFiles(t, file)
	write(t, secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	write(t, ca, "a certificate")
	w.look()
	if w.look() {
		t.Fatal("a file that nobody named")
	}
	write(t, file, minimal[:len(minimal)-2]+", secret: '${file:"+secret+"}', tls: {ca_file: "+ca+"}}\n"+
		"http: {listen: '127.0.0.1:0', tls: {cert_file: "+cert+", key_file: "+key+", client_ca_file: "+clients+"}}\n")
	w.look()
	if !w.look() {
		t.Fatal("the configuration changed")
	}
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{secret, ca, cert, key, clients} {
		write(t, name, "whsec_OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk=...")
		w.look()
		if !w.look() {
			t.Errorf("%s changed, and nothing was read", filepath.Base(name))
		}
		_ = w.reload()
	}
}

// TestWatchMissesNothing: a file that was not looked at before changes after the configuration was read, and
// before that is in force, which takes as long as deliveries under way.
func TestWatchMissesNothing(t *testing.T) {
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "secret")
	write(t, file, minimal)
	write(t, secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	w := newWatchedFiles(t, file)
	write(t, file, minimal[:len(minimal)-2]+", secret: '${file:"+secret+"}'}\n")
	w.look()
	if !w.look() {
		t.Fatal("the configuration changed")
	}
	w.watch.reading(w.now)
	conf, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	write(t, secret, "whsec_OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk=")
	if err := os.Chtimes(secret, time.Time{}, w.now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	w.watch.read(conf, conf, nil)
	if w.look(); !w.look() {
		t.Error("the secret changed, and nothing was read")
	}
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if w.twice() {
		t.Error("the same change twice")
	}
}

// TestWatchTriesAgain: what a rejected configuration lacks may come later, in a file that was not looked
// at; nothing is said meanwhile.
func TestWatchTriesAgain(t *testing.T) {
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "secret")
	write(t, file, minimal)
	w := newWatchedFiles(t, file)
	write(t, file, minimal[:len(minimal)-2]+", secret: '${file:"+secret+"}'}\n")
	w.look()
	if !w.look() || w.reload() == nil {
		t.Fatal("a configuration without its secret")
	}
	before := w.loads
	for range 10 * againEvery / lookEvery {
		if w.look() {
			t.Fatal("told again of the same mistake")
		}
	}
	if n := w.loads - before; n < 9 || n > 10 {
		t.Errorf("%d tries in %s", n, 10*againEvery)
	}
	write(t, secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	n := 0
	for ; !w.look(); n++ {
		if n > int(againEvery/lookEvery) {
			t.Fatal("the secret is there, and nothing happens")
		}
	}
	if err := w.reload(); err != nil {
		t.Error(err)
	}
}

func TestWatchOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, "reload: {watch: false}\n"+minimal)
	w := newWatchedFiles(t, file)
	write(t, file, "reload: {watch: false}\n# changed\n"+minimal)
	if w.twice() {
		t.Error("read although it is not to be watchedFiles")
	}
}

// TestWatchWhatARejectedOneNames: a configuration whose sink does not open is read again when the file comes
// that the sink lacks, and not before.
func TestWatchWhatARejectedOneNames(t *testing.T) {
	dir := t.TempDir()
	file, ca := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "ca.pem")
	write(t, file, minimal)
	w := newWatchedFiles(t, file)
	write(t, file, minimal[:len(minimal)-2]+", tls: {ca_file: "+ca+"}}\n")
	w.look()
	if !w.look() {
		t.Fatal("the configuration changed")
	}
	w.watch.reading(w.now)
	rejected, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	w.watch.read(w.watch.config, rejected, server.Wrongf("no such file"))
	for range 3 * againEvery / lookEvery {
		if w.look() {
			t.Fatal("told again of the same mistake")
		}
	}
	write(t, ca, "a certificate")
	w.look()
	if !w.look() {
		t.Error("what it lacked is there, and nothing happens")
	}
}

// TestWatchTriesWhatIsRight: a configuration that nothing is wrong with, and that could not be taken over, is tried
// again though no file changes.
func TestWatchTriesWhatIsRight(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, minimal)
	w := newWatchedFiles(t, file)
	w.watch.reading(w.now)
	next, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	w.watch.read(w.watch.config, next, errors.New("the disk is full"))
	looks := 1
	for ; !w.look() && looks < 100; looks++ {
	}
	if want := int(againEvery / lookEvery); looks != want {
		t.Errorf("tried again at look %d, want %d", looks, want)
	}
	w.watch.reading(w.now)
	w.watch.read(next, next, nil)
	for range 2 * againEvery / lookEvery {
		if w.look() {
			t.Fatal("tried again though it is in force")
		}
	}
}

// TestWatchNothing: who asks a daemon to read its configuration again that has none to be read, as that of a
// demo, gets an error, and the daemon goes on.
func TestWatchNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, minimal)
	w := newWatchedFiles(t, file)
	w.watch.app.options.Load = nil
	w.watch.reading(w.now)
	w.watch.read(w.watch.config, nil, server.Wrongf("nothing to be read"))
	for range 2 * againEvery / lookEvery {
		if w.look() {
			t.Fatal("there is nothing to be read")
		}
	}
}
