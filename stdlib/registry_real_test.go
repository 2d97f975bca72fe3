package stdlib_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Debian's registry, where the one of Docker Hub would be. The link is what that
// one calls its program.
var registryImage = testengine.PackageImage{
	Name:       "swarmtest/registry:1",
	Packages:   []string{"docker-registry", "busybox", "dash", "grep"},
	Links:      []string{"/usr/bin/registry -> docker-registry", "/usr/bin/wget -> busybox"},
	Entrypoint: []string{"registry"},
}

const registryScript = `
load("@stdlib//registry.star", "garbage_collection", "private_registry")

project("images", env = "test")
made = private_registry(
    image = "swarmtest/registry:1",
    htpasswd = secret("users", value = read_file("htpasswd")),
    certificate = secret("certificate", value = read_file("server.pem")),
    key = secret("key", value = read_file("server-key.pem")),
    published = 5443,
    read_only = %s,
    service_more = {"endpoint_mode": "dnsrr"},
)
garbage_collection(made, run = %q)
`

// A registry with TLS and a password takes an image from those who have it, gives
// it up, and its garbage is collected.
func TestRealRegistry(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	testengine.LoadPackages(t, registryImage, e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	s := newStage(t, e)
	dir := testengine.CertificatesOf(t, e.Addr)
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server.pem", "server-key.pem"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(filepath.Dir(s.file), name), string(content))
	}
	write(t, filepath.Join(filepath.Dir(s.file), "htpasswd"), "ann:"+string(hash)+"\n")

	s.apply(fmt.Sprintf(registryScript, "False", "1"))
	s.eventually("the collector says why it has nothing to do", func() (bool, string) {
		said := e.Docker("service", "logs", "registry-gc")
		return strings.Contains(said, "nothing was pushed yet"), said
	})

	r := testengine.RegistryAt(e, e.Addr+":5443", filepath.Join(dir, "ca.pem"), "ann", "correct horse")
	config := t.TempDir()
	r.Login(e, config)
	digest := r.Push(e, config, testengine.Sleep, "box:1")
	client := trusting(t, r.CA)
	ask := func(method, user string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+r.Addr+"/v2/box/manifests/"+digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json")
		req.SetBasicAuth(user, r.Password)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := ask("GET", "bob"); got != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", got)
	}
	if got := ask("GET", "ann"); got != http.StatusOK {
		t.Errorf("the image gets %d", got)
	}
	blobs := func() string {
		return e.Docker("exec", e.Docker("ps", "--quiet", "--filter", "name=registry.1"), "busybox", "find", "/var/lib/registry/docker/registry/v2/blobs", "-name", "data")
	}
	if blobs() == "" {
		t.Error("nothing was stored")
	}
	if got := ask("DELETE", "ann"); got != http.StatusAccepted {
		t.Errorf("deleting it gets %d", got)
	}

	s.apply(fmt.Sprintf(registryScript, "True", "2"))
	if left := blobs(); left != "" {
		t.Errorf("after garbage was collected there is\n%s", left)
	}
	if got := ask("DELETE", "ann"); got != http.StatusMethodNotAllowed {
		t.Errorf("deleting from a registry that is read only gets %d", got)
	}
}

func trusting(t *testing.T, ca string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
