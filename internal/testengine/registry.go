package testengine

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// A Registry is Debian's docker-registry with TLS and a password, at an address that engines reach. It listens on the
// engines' bridge, so it needs an engine that lives as long.
type Registry struct {
	Addr           string // as in an image's name
	User, Password string
	CA             string // the file of the authority

	tb  testing.TB
	dir string
	*daemon
}

// StartRegistry starts an empty registry for a test, which the engine trusts.
func StartRegistry(e *Engine) *Registry {
	e.tb.Helper()
	r := newRegistry(e)
	r.SetPassword(r.User, r.Password)
	r.begin(fmt.Sprintf("  htpasswd: {realm: swarmtest, path: %q}\n", r.passwords()))
	e.Trust(r)
	return r
}

// StartTokenRegistry starts a registry that asks for a token of another server: at a realm, for a service, by an
// issuer whose certificate is in a file.
func StartTokenRegistry(e *Engine, realm, service, issuer, certificate string) *Registry {
	e.tb.Helper()
	r := newRegistry(e)
	r.begin(fmt.Sprintf("  token: {realm: %q, service: %q, issuer: %q, rootcertbundle: %q}\n", realm, service, issuer, certificate))
	e.Trust(r)
	return r
}

func newRegistry(e *Engine) *Registry {
	tb := e.tb
	tb.Helper()
	r := &Registry{Addr: net.JoinHostPort(bridgeIP, freePort(tb, bridgeIP)), User: "ann", Password: "correct horse", dir: tb.TempDir(), tb: tb}
	certs := filepath.Join(r.dir, "tls")
	if err := makeCertificates(certs, bridgeIP); err != nil {
		tb.Fatal(err)
	}
	r.CA = filepath.Join(certs, "ca.pem")
	return r
}

// begin writes the configuration and starts the registry.
func (r *Registry) begin(auth string) {
	r.tb.Helper()
	certs := filepath.Dir(r.CA)
	config := fmt.Sprintf(`version: 0.1
log: {level: info}
storage:
  delete: {enabled: true}
  filesystem: {rootdirectory: %q}
http:
  addr: %q
  tls: {certificate: %q, key: %q}
auth:
%s`, filepath.Join(r.dir, "data"), r.Addr, filepath.Join(certs, "server.pem"), filepath.Join(certs, "server-key.pem"), auth)
	if err := os.WriteFile(filepath.Join(r.dir, "config.yml"), []byte(config), 0o600); err != nil {
		r.tb.Fatal(err)
	}
	r.Start()
}

func (r *Registry) passwords() string { return filepath.Join(r.dir, "htpasswd") }

// SetPassword makes a user the only one that the registry knows. It looks into its file at its next start.
func (r *Registry) SetPassword(user, password string) {
	r.tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		r.tb.Fatal(err)
	}
	if err := os.WriteFile(r.passwords(), []byte(user+":"+string(hash)+"\n"), 0o600); err != nil {
		r.tb.Fatal(err)
	}
	r.User, r.Password = user, password
}

// RegistryAt is a registry that a test runs itself, at an address and with a certificate of [CertificatesOf]. The engine
// trusts it.
func RegistryAt(e *Engine, addr, ca, user, password string) *Registry {
	e.tb.Helper()
	r := &Registry{Addr: addr, User: user, Password: password, CA: ca, tb: e.tb}
	e.Trust(r)
	return r
}

// CertificatesOf makes an authority and what it signed for a server at an address: ca.pem, server.pem and server-key.pem in
// the folder that it returns.
func CertificatesOf(tb testing.TB, ip string) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "tls")
	if err := makeCertificates(dir, ip); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Start starts the registry again after [Registry.Stop].
func (r *Registry) Start() {
	r.tb.Helper()
	r.daemon = startDaemon(r.tb, r.dir, r.Addr, "/usr/bin/docker-registry", "serve", filepath.Join(r.dir, "config.yml"))
}

// Stop ends the registry: connections are refused.
func (r *Registry) Stop() { r.stop() }

// Distrust makes the engine refuse the registry's certificate.
func (e *Engine) Distrust(r *Registry) {
	e.tb.Helper()
	if err := os.RemoveAll(e.slot.file(filepath.Join("certs.d", r.Addr))); err != nil {
		e.tb.Fatal(err)
	}
}

// Trust makes the engine accept a registry's certificate.
func (e *Engine) Trust(r *Registry) {
	e.tb.Helper()
	ca, err := os.ReadFile(r.CA)
	if err != nil {
		e.tb.Fatal(err)
	}
	dir := e.slot.file(filepath.Join("certs.d", r.Addr))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		e.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o644); err != nil {
		e.tb.Fatal(err)
	}
}

// Login writes the registry's credentials into a configuration folder, as the docker CLI does.
func (r *Registry) Login(e *Engine, configDir string) {
	r.tb.Helper()
	r.cli(e, configDir, r.Password, "login", "--username", r.User, "--password-stdin", r.Addr)
}

// Push copies an image of the engine into the registry under a name, and returns its digest. The engine keeps no
// image of that name.
func (r *Registry) Push(e *Engine, configDir, image, name string) string {
	r.tb.Helper()
	ref := r.Addr + "/" + name
	r.cli(e, configDir, "", "tag", image, ref)
	out := r.cli(e, configDir, "", "push", ref)
	r.cli(e, configDir, "", "image", "rm", ref)
	_, digest, ok := strings.Cut(out, "digest: ")
	if !ok {
		r.tb.Fatalf("docker push says no digest: %s", out)
	}
	return strings.Fields(digest)[0]
}

func (r *Registry) cli(e *Engine, configDir, input string, args ...string) string {
	r.tb.Helper()
	cmd := exec.Command(filepath.Join(e.cache, "docker"), args...)
	cmd.Env = []string{"DOCKER_HOST=" + e.Host, "DOCKER_CONFIG=" + configDir, "PATH=" + systemPath, "HOME=/var/empty"}
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.tb.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
