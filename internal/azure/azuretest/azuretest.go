// Package azuretest gives tests an Azure of their own: package emulator, served
// over HTTPS by the test's process, with what a client needs to find it and to sign
// in.
package azuretest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// A Server is an emulator that answers.
type Server struct {
	*emulator.Emulator
	URL    string // "https://127.0.0.1:PORT"
	CAFile string // of the authority that its certificate is of
	// Options are what it was made with, completed.
	Options emulator.Options

	mu       sync.Mutex
	requests []emulator.Request
}

// An Option changes what is emulated.
type Option func(*emulator.Options)

// Start serves an emulator until the test ends. Its operations take no time, unless
// an option says so, and nothing is throttled.
func Start(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	dir := tb.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{URL: "https://" + l.Addr().String(), CAFile: filepath.Join(dir, emulator.CAFile)}
	s.Options = emulator.Options{
		URL: s.URL, Tenant: emulator.DefaultTenant, Subscription: emulator.Subscription{ID: emulator.DefaultSubscription, Name: "Emulated"},
		Apps: []emulator.App{emulator.DefaultApp}, PollEvery: 5 * time.Millisecond, Limits: &emulator.Limits{},
	}
	for _, o := range options {
		o(&s.Options)
	}
	log := s.Options.Log
	s.Options.Log = func(r emulator.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		if log != nil {
			log(r)
		}
	}
	cert, err := emulator.Certificates(dir, "127.0.0.1")
	if err != nil {
		tb.Fatal(err)
	}
	if s.Emulator, err = emulator.New(s.Options); err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: s.Emulator}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})) })
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			server.Close()
		}
		serving.Wait()
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Requests are those that were answered so far, in their order.
func (s *Server) Requests() []emulator.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Forget forgets the requests so far.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Env is what a client needs to find it and to sign in.
func (s *Server) Env() map[string]string {
	return map[string]string{
		"SWARMSCRIPT_AZURE_ENDPOINT": s.URL, "SWARMSCRIPT_AZURE_CA_FILE": s.CAFile,
		"AZURE_TENANT_ID": s.Options.Tenant, "AZURE_CLIENT_ID": s.Options.Apps[0].ID, "AZURE_CLIENT_SECRET": s.Options.Apps[0].Secret,
		"AZURE_SUBSCRIPTION_ID": s.Options.Subscription.ID,
	}
}

// Setenv sets them for the test.
func (s *Server) Setenv(tb testing.TB) {
	for k, v := range s.Env() {
		tb.Setenv(k, v)
	}
}
