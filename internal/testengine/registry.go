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
	tb := e.tb
	tb.Helper()
	dir := tb.TempDir()
	r := &Registry{Addr: net.JoinHostPort(bridgeIP, freePort(tb, bridgeIP)), User: "ann", Password: "correct horse", dir: dir, tb: tb}
	certs := filepath.Join(dir, "tls")
	if err := makeCertificates(certs, bridgeIP); err != nil {
		tb.Fatal(err)
	}
	r.CA = filepath.Join(certs, "ca.pem")
	hash, err := bcrypt.GenerateFromPassword([]byte(r.Password), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	config := fmt.Sprintf(`version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: %q}
http:
  addr: %q
  tls: {certificate: %q, key: %q}
auth:
  htpasswd: {realm: swarmtest, path: %q}
`, filepath.Join(dir, "data"), r.Addr, filepath.Join(certs, "server.pem"), filepath.Join(certs, "server-key.pem"), filepath.Join(dir, "htpasswd"))
	for name, text := range map[string]string{"htpasswd": r.User + ":" + string(hash) + "\n", "config.yml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	r.Start()
	e.Trust(r)
	return r
}

// Start starts the registry again after [Registry.Stop].
func (r *Registry) Start() {
	r.tb.Helper()
	r.daemon = startDaemon(r.tb, r.dir, r.Addr, "/usr/bin/docker-registry", "serve", filepath.Join(r.dir, "config.yml"))
}

// Stop ends the registry: connections are refused.
func (r *Registry) Stop() { r.stop() }

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
