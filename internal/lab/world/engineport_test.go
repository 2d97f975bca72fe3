package world

import (
	"os"
	"path/filepath"

	"github.com/swarmscript/swarmscript/internal/testengine"

	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The Engine API on a port of a host, as daemon.json says it: plain, with TLS, and
// behind the host's firewall.

// listening lets a host's engine listen where daemon.json says. Debian's unit says
// it by a flag, which is taken away for that.
func (y *yard) listening(h *Host, config string) {
	y.Helper()
	y.sh(h, fmt.Sprintf(`mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock\n' >/etc/systemd/system/docker.service.d/hosts.conf
mkdir -p /etc/docker
cat >/etc/docker/daemon.json <<'E'
%s
E
systemctl daemon-reload && systemctl restart docker`, config))
}

// asks is what an engine answers at a port of a host.
func asks(h *Host, port int, secure *tls.Config) string {
	scheme := "http"
	if secure != nil {
		scheme = "https"
	}
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}}
	res, err := c.Get(fmt.Sprintf("%s://%s:%d/_ping", scheme, h.rec.Address, port))
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestEngineAtPort(t *testing.T) {
	y := newYard(t)
	h := y.host("m1")
	y.listening(h, `{"hosts": ["fd://", "tcp://0.0.0.0:12375"]}`)
	wantText(t, "in the clear", asks(h, 12375, nil), "OK")
	wantText(t, "what its journal says", y.sh(h, "journalctl -u docker"), "API listen on 0.0.0.0:12375")
	y.walled(h, "allow 22/tcp", "reject 12375/tcp")
	if got := asks(h, 12375, nil); got == "OK" {
		t.Errorf("past the firewall: %s", got)
	}
	y.sh(h, "ufw disable; systemctl stop docker docker.socket")
	wantText(t, "stopped", asks(h, 12375, nil), "refused")
	y.sh(h, "systemctl start docker")
	y.leave()
	y.open()
	h = y.again([]*Host{h})[0]
	wantText(t, "after the process was another one", asks(h, 12375, nil), "OK")
	y.listening(h, `{"hosts": ["fd://", "tcp://127.0.0.1:12375"]}`)
	wantText(t, "for the host itself only", asks(h, 12375, nil), "refused")
}

func TestEngineAtPortWithTLS(t *testing.T) {
	y := newYard(t)
	h := y.host("m1")
	dir := testengine.Certificates(t, t.TempDir(), h.rec.Address)
	for name, file := range map[string]string{"ca": "ca.pem", "cert": "server.pem", "key": "server-key.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		y.ok(err)
		y.sh(h, "mkdir -p /etc/docker/tls; cat >/etc/docker/tls/"+name+".pem <<'E'\n"+string(text)+"E")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	y.ok(err)
	authority, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	y.ok(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	y.listening(h, `{"hosts": ["fd://", "tcp://0.0.0.0:12376"], "tlsverify": true, "tlscacert": "/etc/docker/tls/ca.pem", "tlscert": "/etc/docker/tls/cert.pem", "tlskey": "/etc/docker/tls/key.pem"}`)
	wantText(t, "with a certificate", asks(h, 12376, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}), "OK")
	if got := asks(h, 12376, &tls.Config{RootCAs: pool}); !strings.Contains(got, "certificate") {
		t.Errorf("without one: %s", got)
	}
	if got := asks(h, 12376, nil); strings.HasPrefix(got, "OK") {
		t.Errorf("in the clear: %s", got)
	}
}

// An engine whose listeners cannot be had does not start, and says why.
func TestEngineAtNoPort(t *testing.T) {
	y := newYard(t)
	h := y.host("m1")
	taken, err := net.Listen("tcp4", h.rec.Address+":12377")
	y.ok(err)
	defer taken.Close()
	for config, want := range map[string]string{
		`"hosts": ["fd://", "tcp://192.0.2.1:2375"]`:                                          "listen tcp 192.0.2.1:2375: bind: cannot assign requested address",
		`"hosts": ["fd://", "tcp://nobody.example:2375"]`:                                     "lookup nobody.example: no such host",
		`"hosts": ["fd://", "tcp://0.0.0.0:70000"]`:                                           "invalid bind address (tcp://0.0.0.0:70000)",
		`"hosts": ["fd://", "npipe:////./pipe/docker"]`:                                       "not simulated: the Engine API at npipe:////./pipe/docker",
		`"hosts": ["fd://", "tcp://0.0.0.0:12377"]`:                                           "12377",
		`"hosts": ["fd://", "tcp://0.0.0.0:2376"], "tls": true`:                               "could not load X509 key pair",
		`"hosts": ["fd://", "tcp://0.0.0.0:2376"], "tlsverify": true, "tlscert": "/etc/motd"`: "could not load X509 key pair",
	} {
		y.listening(h, "{}")
		y.sh(h, "cat >/etc/docker/daemon.json <<'E'\n{"+config+"}\nE\nsystemctl restart docker && exit 1; systemctl is-active docker && exit 1; true")
		wantText(t, config, y.sh(h, "journalctl -u docker | tail -n 8"), want)
	}
}
