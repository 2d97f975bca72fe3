package remote

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"
	"github.com/docker/go-connections/sockets"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Docker is the connection to one engine. It is safe for concurrent use.
type Docker struct {
	target *target
	api    *client.Client
	trans  *http.Transport
	tunnel *tunnel // nil but for ssh
	host   *Host   // nil but for a machine's own connection
	creds  Credentials

	reads, writes atomic.Int64

	mu      sync.Mutex
	version string // the negotiated API version, "" before Ready
	manager bool   // what the first answer said
}

// Requests counts the requests that were sent: those that only read, and
// those that may have changed something.
type Requests struct{ Reads, Writes int64 }

// Dial returns a connection to the engine that e means. It reads docker's
// configuration and dials nothing.
func Dial(e Endpoint) (*Docker, error) {
	t, err := e.resolve()
	if err != nil {
		return nil, err
	}
	d := &Docker{target: t, creds: NewCredentials(e.ConfigDir)}
	host := t.host
	d.trans = &http.Transport{
		// A plan lists everything at once; with the default of two, the other
		// connections would be dialled again for every batch.
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
		TLSClientConfig:     t.tls,
	}
	if strings.HasPrefix(host, "ssh://") {
		if d.tunnel, err = newTunnel(host); err != nil {
			return nil, err
		}
		host = "http://docker.example.com" // a name for HTTP's sake, as docker's own
		d.trans.DialContext = d.tunnel.dial
		d.trans.MaxConnsPerHost = d.tunnel.conns()
	} else {
		u, err := client.ParseHostURL(host)
		if err != nil {
			return nil, err
		}
		if err := sockets.ConfigureTransport(d.trans, u.Scheme, u.Host); err != nil {
			return nil, err
		}
	}
	opts := []client.Opt{
		client.WithHost(host),
		client.WithHTTPClient(&http.Client{Transport: &tripper{d}, CheckRedirect: client.CheckRedirect}),
		client.WithVersionFromEnv(),
		client.WithAPIVersionNegotiation(),
	}
	if t.tls != nil {
		opts = append(opts, client.WithScheme("https"))
	}
	if d.api, err = client.NewClientWithOpts(opts...); err != nil {
		return nil, err
	}
	return d, nil
}

// API returns the Engine API's client. Its errors go through [Err]. Call
// [Docker.Ready] before it is used by several goroutines: docker's client
// writes down the version that it agreed on while others read it.
func (d *Docker) API() client.APIClient { return d.api }

// Credentials returns what the registries of images want.
func (d *Docker) Credentials() Credentials { return d.creds }

// UseCredentials replaces them, before the connection is used.
func (d *Docker) UseCredentials(c Credentials) { d.creds = c }

// Endpoint names the engine for a person, without credentials.
func (d *Docker) Endpoint() string { return d.target.host }

// Requests returns how many requests were sent so far.
func (d *Docker) Requests() Requests { return Requests{d.reads.Load(), d.writes.Load()} }

// Ready dials on its first call, and agrees with the engine on a version of
// the API, which it returns.
func (d *Docker) Ready(ctx context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.version != "" {
		return d.version, nil
	}
	ping, err := d.api.Ping(ctx)
	if err != nil {
		return "", Err(err)
	}
	d.api.NegotiateAPIVersionPing(ping)
	d.version = d.api.ClientVersion()
	d.manager = ping.SwarmStatus != nil && ping.SwarmStatus.ControlAvailable
	return d.version, nil
}

// SaidManager reports whether the engine's first answer said that it manages a
// swarm. Engines before 23 say nothing there, and what is said may be over: it
// is a guess of what is worth asking.
func (d *Docker) SaidManager() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.manager
}

// Close lets go of the connections.
func (d *Docker) Close() error {
	d.trans.CloseIdleConnections()
	if d.tunnel != nil {
		return d.tunnel.close()
	}
	return nil
}

// tripper counts requests, and keeps the cause of a failure that docker's
// client would put a text of its own over.
type tripper struct{ d *Docker }

func (t *tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	// A login is posted, and only asks a registry whether it is right.
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/auth") {
		t.d.reads.Add(1)
	} else {
		t.d.writes.Add(1)
	}
	resp, err := t.d.trans.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		return nil, &connError{target: t.d.target, cause: err}
	}
	if err == nil && wantsTLS(resp) {
		return nil, &connError{target: t.d.target, cause: errWantsTLS}
	}
	return resp, err
}

// wantsTLS reports whether a response is the one that a server for TLS written
// in Go gives to plain HTTP. It has read the body then.
func wantsTLS(resp *http.Response) bool {
	if resp.StatusCode != http.StatusBadRequest || resp.ProtoAtLeast(1, 1) {
		return false
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	resp.Body.Close()
	if strings.Contains(string(text), "HTTP request to an HTTPS server") {
		return true
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return false
}

// Client is implemented by connections that speak the Engine API.
type Client interface {
	resource.Conn
	Docker() client.APIClient
}
