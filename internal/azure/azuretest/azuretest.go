// Package azuretest gives tests an Azure of their own: package emulator, served
// over HTTPS by the test's process, with what a client needs to find it and to sign
// in.
package azuretest

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// A Server is an emulator that answers.
type Server struct {
	*emulator.Emulator
	URL    string // "https://127.0.0.1:PORT"
	CAFile string // of the authority that its certificate is of, "" of Direct's
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
	cert, err := emulator.Certificates(dir, "127.0.0.1")
	if err != nil {
		tb.Fatal(err)
	}
	s := emulate(tb, "https://"+l.Addr().String(), options)
	s.CAFile = filepath.Join(dir, emulator.CAFile)
	server := &http.Server{Handler: s.Emulator}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})) })
	tb.Cleanup(func() {
		// Nobody asks any more. Shutdown would wait for seconds for connections that
		// a client opened and did not use.
		server.Close()
		serving.Wait()
	})
	return s
}

// Direct is an emulator without a network before it: what is to ask it sends its
// requests with [Server.Do]. So it can be in a bubble of package synctest, where its
// hours are over at once.
func Direct(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	return emulate(tb, "https://azure.test", options)
}

// emulate makes an emulator that ends with the test.
func emulate(tb testing.TB, url string, options []Option) *Server {
	tb.Helper()
	s := &Server{URL: url}
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
	var err error
	if s.Emulator, err = emulator.New(s.Options); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Do sends a request to the emulator. It implements the SDK's policy.Transporter.
func (s *Server) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// List reads a list as its owner would, who is patient: path comes after the
// subscription's ID.
func (s *Server) List(tb testing.TB, path, version string) []map[string]any {
	tb.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.Options.Apps[0].ID}, "client_secret": {s.Options.Apps[0].Secret}, "scope": {"https://management.core.windows.net/.default"}}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	s.ask(tb, "/"+s.Options.Tenant+"/oauth2/v2.0/token", "", form, &token)
	var list struct{ Value []map[string]any }
	s.ask(tb, "/subscriptions/"+s.Options.Subscription.ID+path+"?api-version="+version, token.AccessToken, nil, &list)
	return list.Value
}

func (s *Server) ask(tb testing.TB, path, token string, form url.Values, into any) {
	tb.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	var w *httptest.ResponseRecorder
	for try := 0; try < 10 && (w == nil || w.Code == http.StatusTooManyRequests); try++ {
		r := httptest.NewRequest(method, s.URL+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer "+token)
		w = httptest.NewRecorder()
		s.ServeHTTP(w, r)
	}
	if w.Code != http.StatusOK {
		tb.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
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
