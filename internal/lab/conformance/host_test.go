package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A backend makes hosts: machines with a Docker Engine that is in no swarm yet.
type backend struct {
	release string // of the engines: "20.10" or "28.5"
	api     string // the newest version of the API that they speak
	start   func(t *testing.T, hostname string) *host
}

// A host is one engine, as a client sees it.
type host struct {
	name    string
	addr    string // for other hosts, with port 2377
	dial    func(ctx context.Context) (net.Conn, error)
	restart func(t *testing.T) // an orderly restart of the engine
	images  func(t *testing.T) // loads the test images

	version string // prefix of paths: "/v1.51"
	http    *http.Client
	api     *client.Client // negotiates its version
}

// connect makes the host's clients.
func (h *host) connect(t *testing.T, b backend) *host {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return h.dial(ctx) }
	h.version = "/v" + b.api
	h.http = &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 2 * time.Minute}
	var err error
	h.api, err = client.NewClientWithOpts(client.WithHost("tcp://"+h.name), client.WithDialContext(dial), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.http.CloseIdleConnections()
		h.api.Close()
	})
	return h
}

// An answer is what a host said to a request.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	message string // of an error
}

// send does a request with a body as it is.
func (h *host) send(ctx context.Context, method, path, contentType string, body io.Reader) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := h.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	if a.status >= 400 {
		var e struct{ Message string }
		if json.Unmarshal(a.body, &e) == nil {
			a.message = e.Message
		} else {
			a.message = strings.TrimSpace(string(a.body)) // what is older than JSON's errors
		}
	}
	return a, nil
}

// ask does a request with a body in JSON, if any.
func (h *host) ask(ctx context.Context, method, path string, body any) (*answer, error) {
	if body == nil {
		return h.send(ctx, method, h.version+path, "", nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return h.send(ctx, method, h.version+path, "application/json", bytes.NewReader(text))
}

// engines is the backend of real engines.
func engines(release, api string, v testengine.Version) backend {
	b := backend{release: release, api: api}
	b.start = func(t *testing.T, hostname string) *host {
		e := testengine.Start(t, v, testengine.Hostname(hostname))
		socket := e.Host[len("unix://"):]
		h := &host{name: hostname, addr: e.Addr + ":2377"}
		h.dial = func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", socket) }
		h.restart = func(t *testing.T) { e.In(t).Restart() }
		h.images = func(t *testing.T) { testengine.Images(e.In(t)) }
		return h.connect(t, b)
	}
	return b
}

func (a *answer) String() string { return fmt.Sprintf("%d %s", a.status, bytes.TrimSpace(a.body)) }

// leaderless tells that no manager could answer, as there was no leader to ask.
func (a *answer) leaderless() bool {
	for _, words := range []string{"lost leader status", "does not have a leader", "no elected cluster leader", "context deadline exceeded"} {
		if a.status >= 500 && strings.Contains(a.message, words) {
			return true
		}
	}
	return false
}
