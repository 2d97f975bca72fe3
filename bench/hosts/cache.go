package hosts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// cache is an HTTP proxy for the machines' apt. It fetches everything once, so
// that no contender waits for a mirror that another one did not wait for. Mirrors
// by https are not cached: apt reaches them directly.
type cache struct {
	client *http.Client
	mu     sync.Mutex
	files  map[string]*cached // by address
}

type cached struct {
	fetch   sync.Once
	err     error
	status  int
	header  http.Header
	content []byte
}

func newCache(ctx context.Context) *cache {
	return &cache{client: &http.Client{Transport: &http.Transport{Proxy: computersProxy(ctx)}}, files: map[string]*cached{}}
}

// serve listens on the address at which a machine reaches this computer, until
// stop is called. It returns the line of apt.conf that makes machines use it. The
// address goes with the last machine, so each fleet has its own.
func (c *cache) serve(machine string) (conf string, stop func(), err error) {
	way, err := net.Dial("udp", net.JoinHostPort(machine, "9"))
	if err != nil {
		return "", nil, err
	}
	defer way.Close()
	l, err := net.Listen("tcp", net.JoinHostPort(way.LocalAddr().(*net.UDPAddr).IP.String(), "0"))
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(l) }() // until stop
	return fmt.Sprintf("Acquire::http::Proxy \"http://%s\";\n", l.Addr()), func() { s.Close(); <-ended }, nil
}

// computersProxy is the one that the computer's own apt uses.
func computersProxy(ctx context.Context) func(*http.Request) (*url.URL, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "shell", "proxy", "Acquire::http::Proxy").Output()
	_, quoted, found := strings.Cut(strings.TrimSpace(string(out)), "=")
	if u, uerr := url.Parse(strings.Trim(quoted, "'")); err == nil && found && uerr == nil && u.Host != "" {
		return http.ProxyURL(u)
	}
	return nil
}

// ServeHTTP implements [http.Handler].
func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !r.URL.IsAbs() {
		http.Error(w, "this is a proxy for apt", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	f := c.files[r.URL.String()]
	if f == nil {
		f = &cached{}
		c.files[r.URL.String()] = f
	}
	c.mu.Unlock()
	f.fetch.Do(func() { f.err = f.get(c.client, r.URL.String()) })
	if f.err != nil {
		http.Error(w, f.err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", f.header.Get("Content-Type"))
	if f.status != http.StatusOK {
		w.WriteHeader(f.status)
		_, _ = w.Write(f.content)
		return
	}
	changed, _ := http.ParseTime(f.header.Get("Last-Modified"))
	http.ServeContent(w, r, "", changed, bytes.NewReader(f.content))
}

func (f *cached) get(client *http.Client, address string) error {
	res, err := client.Get(address)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	f.status, f.header = res.StatusCode, res.Header
	f.content, err = io.ReadAll(res.Body)
	return err
}
