package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/docker/docker/client"
)

// NotUpgraded is an engine's answer to [Docker.Upgrade] when it goes on with HTTP.
type NotUpgraded struct {
	Proto  string
	Status int
}

func (e *NotUpgraded) Error() string {
	return fmt.Sprintf("the engine does not speak %s: it answers %d", e.Proto, e.Status)
}

// Upgrade posts a request that makes of its connection one of another protocol,
// as /session does. It goes the way that all requests go. Deadlines are not
// supported on it.
func (d *Docker) Upgrade(ctx context.Context, path, proto string, header http.Header) (net.Conn, error) {
	u := url.URL{Scheme: "http", Host: "docker.example.com", Path: path} // sockets and tunnels need no name
	if at, err := client.ParseHostURL(d.api.DaemonHost()); err == nil && at.Scheme == "tcp" {
		u.Host = at.Host
	}
	if d.target.tls != nil {
		u.Scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", proto)
	resp, err := (&tripper{d}).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		resp.Body.Close()
		return nil, &NotUpgraded{proto, resp.StatusCode}
	}
	return &upgraded{conn, place{"tcp", u.Host}}, nil
}

// upgraded is a connection that was one of HTTP.
type upgraded struct {
	io.ReadWriteCloser
	to place
}

// LocalAddr implements [net.Conn].
func (u *upgraded) LocalAddr() net.Addr { return place{"tcp", "here"} }

// RemoteAddr implements [net.Conn].
func (u *upgraded) RemoteAddr() net.Addr { return u.to }

// SetDeadline implements [net.Conn].
func (u *upgraded) SetDeadline(time.Time) error { return http.ErrNotSupported }

// SetReadDeadline implements [net.Conn].
func (u *upgraded) SetReadDeadline(time.Time) error { return http.ErrNotSupported }

// SetWriteDeadline implements [net.Conn].
func (u *upgraded) SetWriteDeadline(time.Time) error { return http.ErrNotSupported }
