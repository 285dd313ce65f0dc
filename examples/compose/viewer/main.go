// Viewer receives filelessd's webhooks and shows them on a page. It is the receiver of the compose
// example, and a sample of how to write one: verify the signature, fold what comes twice by its
// Webhook-Id, answer 2xx only for what is kept, and treat every word of a report as an attacker's.
//
// It keeps the newest 200 reports in memory. A receiver that has to lose nothing stores a report on
// disk before it answers: filelessd holds a report as delivered from then on.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	listen     = ":8080"
	secretFile = "/run/secrets/webhook"
)

func main() {
	log.SetFlags(0)
	var err error
	switch {
	case len(os.Args) == 1:
		err = serve()
	case len(os.Args) == 2 && os.Args[1] == "health":
		err = health()
	default:
		err = errors.New("usage: viewer [health]")
	}
	if err != nil {
		log.Fatal("viewer: ", err)
	}
}

// serve runs until SIGINT or SIGTERM.
func serve() error {
	secret, err := os.ReadFile(secretFile)
	if err != nil {
		return err
	}
	v, err := newViewer(strings.TrimSpace(string(secret)))
	if err != nil {
		return fmt.Errorf("%s: %w", secretFile, err)
	}
	server := &http.Server{
		Addr: listen, Handler: v.handler(),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 16,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	log.Print("listening on ", listen)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// health asks the viewer in the same container, which has no other program to ask with.
func health() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1"+listen+"/healthz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
