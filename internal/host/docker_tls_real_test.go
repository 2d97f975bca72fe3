package host_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/certificate"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The Engine API on a TCP port: who has a certificate gets in, and certificates
// are made anew when they must be.
func TestDockerTLS(t *testing.T) {
	t.Parallel()
	w, _, base := engine(t, "debian-12")
	with := func(more args) *resource.Declaration {
		w.t.Helper()
		return w.docker(base.With(args{"tls": args{}.With(more)}))
	}
	keys := `daemon["hosts"] daemon["tlscacert"] daemon["tlscert"] daemon["tlskey"] daemon["tlsverify"]`
	own := with(args{"names": []string{"docker.example"}})
	w.apply(list("update docker.m: "+keys+" tls"), own)
	for _, name := range []string{w.h.Address, "docker.example", "localhost", w.h.Name} {
		w.reach(own, name)
	}
	if _, err := w.version(own, "nobody.example", true); err == nil || !strings.Contains(err.Error(), "not nobody.example") {
		t.Errorf("under another name: %v", err)
	}
	if _, err := w.version(own, w.h.Address, false); err == nil || !strings.Contains(err.Error(), "certificate required") && !strings.Contains(err.Error(), "bad certificate") {
		t.Errorf("without a certificate: %v", err)
	}
	want(t, "the folder", w.sh("cd /etc/docker/tls; stat -c '%a %n' *"),
		"600 ca-key.pem\n644 ca.pem\n644 client-cert.pem\n600 client-key.pem\n644 server-cert.pem\n600 server-key.pem")

	ca := w.sh("cat /etc/docker/tls/ca.pem")
	more := with(args{"names": []string{"docker.example", "other.example"}})
	w.apply(list("update docker.m: tls.names"), more)
	w.reach(more, "other.example")
	want(t, "the authority", w.sh("cat /etc/docker/tls/ca.pem"), ca)
	w.apply(nil, own) // names that are too many are left
	w.sh("ip address add 10.99.0.1/32 dev lo; ip address add 10.99.0.2/32 dev eth0")
	want(t, "the reason", w.reason(own), "the server's certificate is not for 10.99.0.1, 10.99.0.2")
	w.apply(list("update docker.m"), own)
	w.sh("rm /etc/docker/tls/server-cert.pem")
	w.apply(list("update docker.m: tls"), own)
	w.sh("sed -i s/2376/2377/ /etc/docker/daemon.json")
	w.apply(list(`update docker.m: daemon["hosts"]`), own)
	w.reach(own, w.h.Address)

	cert, key, sign := authority(t)
	given := with(args{"ca": cert, "ca_key": key, "port": 2400})
	w.apply(list(`update docker.m: daemon["hosts"] tls.ca`), given)
	want(t, "the authority", w.sh("cat /etc/docker/tls/ca.pem"), strings.TrimSpace(cert))
	want(t, "its key", w.sh("ls /etc/docker/tls/ca-key.pem 2>/dev/null || true"), "")
	old, oldKey := sign(time.Now().Add(-80*24*time.Hour), time.Now().Add(10*24*time.Hour))
	w.sh("cat >/etc/docker/tls/server-cert.pem <<'E'\n" + old + "E\ncat >/etc/docker/tls/server-key.pem <<'E'\n" + oldKey + "E")
	want(t, "the reason", w.reason(given), "the server's certificate expires on "+time.Now().Add(10*24*time.Hour).UTC().Format("2006-01-02"))
	w.apply(list("update docker.m"), given)

	w.apply(list("update docker.m: "+keys), w.docker(base))
	want(t, "what is left", w.sh("ls /etc/docker/tls /etc/systemd/system/docker.service.d 2>/dev/null || true"), "")
	w.sh("docker version")
}

// reason is why the plan changes something.
func (w *world) reason(d *resource.Declaration) string {
	w.t.Helper()
	return w.steps(decls(d))[0].change.Reason
}

// reach asks the engine for its version under a name.
func (w *world) reach(d *resource.Declaration, name string) {
	w.t.Helper()
	if code, err := w.version(d, name, true); err != nil || code != http.StatusOK {
		w.t.Errorf("as %s: %d %v", name, code, err)
	}
}

// version asks the engine over TLS, with what its outputs hold.
func (w *world) version(d *resource.Declaration, name string, withCert bool) (int, error) {
	w.t.Helper()
	out := w.observe(decls(d)).Objects[0].Out
	text := func(name string) []byte { s, _ := value.Reveal(out[name]).(string); return []byte(s) }
	pair, err := tls.X509KeyPair(text("client_cert"), text("client_key"))
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: name}
	if !cfg.RootCAs.AppendCertsFromPEM(text("ca_cert")) {
		w.t.Fatal("there is no authority")
	}
	if withCert {
		cfg.Certificates = []tls.Certificate{pair}
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}, Timeout: time.Minute}
	res, err := c.Get("https://" + w.h.Address + ":2376/version")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}

// authority makes one that the script gives, and what signs for it.
func authority(t *testing.T) (cert, key string, sign func(from, until time.Time) (cert, key string)) {
	t.Helper()
	ca, text, err := certificate.New("ours", time.Now(), 365*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return string(ca.PEM), string(text), func(from, until time.Time) (string, string) {
		now := from.Add(time.Hour) // a certificate begins an hour before
		cert, key, err := ca.Sign(&x509.Certificate{}, now, until.Sub(now))
		if err != nil {
			t.Fatal(err)
		}
		return string(cert), string(key)
	}
}
