package examples_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	docker "github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// inAzure is an example in an Azure of this computer, with hosts of a lab behind its
// machines.
func inAzure(t *testing.T, example string, vars ...string) *stage {
	t.Helper()
	s := &stage{T: t, script: filepath.Join(copied(t, example), "cluster.star"), vars: vars}
	state := s.azure("--machines", "lab")
	t.Cleanup(func() {
		if code, out := s.run("lab", "--lab", filepath.Join(state, "lab"), "ls"); code != 0 || !strings.Contains(out, "no hosts") {
			t.Errorf("left in the lab: %s", out)
			s.run("lab", "--lab", filepath.Join(state, "lab"), "reset", "--auto-approve")
		}
	})
	return s
}

// azure serves an Azure of this computer, swarmscript azure-emulator in a process of
// its own, until the test ends. It returns the folder of its state.
func (s *stage) azure(flags ...string) (state string) {
	s.Helper()
	t, dir := s.T, s.TempDir()
	cache, err := os.UserCacheDir() // which keeps what machines are made of
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "SWARMSCRIPT_LAB_IDLE=5m", "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+cache, "SSH_AUTH_SOCK=")
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	state = filepath.Join(dir, "azure")
	emulator := exec.Command(bin, append([]string{"azure-emulator", "--state", state, "--listen", "127.0.0.1:0", "--operation-time", "0s", "--unlimited"}, flags...)...)
	emulator.Env = append(os.Environ(), s.env...)
	emulator.Stderr = os.Stderr
	out, err := emulator.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := emulator.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(emulator.Process.Signal(os.Interrupt), emulator.Wait()); err != nil {
			t.Errorf("the emulator ended with %v", err)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the emulator says %q: %v", line, err)
	}
	go io.Copy(io.Discard, out)
	code, env := s.run("azure-emulator", "env", "--state", state)
	if code != 0 {
		t.Fatal(env)
	}
	for line := range strings.Lines(env) {
		s.env = append(s.env, strings.TrimSpace(strings.TrimPrefix(line, "export ")))
	}
	return state
}

// leaves checks that a destroy leaves nothing in Azure: all would be made again.
func (s *stage) leaves(resources string) {
	s.Helper()
	s.destroy()
	if code, out := s.run(s.args("plan", s.last)...); code != 0 || !strings.Contains(out, "Plan: "+resources+" to add, 0 to change, 0 to replace, 0 to delete") {
		s.Errorf("after destroy a plan ends with %d:\n%s", code, out)
	}
}

// One Docker host, whose engine takes those who have its certificate, and nobody
// else; its open ports and its size change in place.
func TestAzureHost(t *testing.T) {
	t.Parallel()
	s := inAzure(t, "azure-host", "packages=distribution")
	s.apply(nil)
	s.settled()
	certs := t.TempDir()
	for name, output := range map[string]string{"ca.pem": "ca_cert", "cert.pem": "client_cert", "key.pem": "client_key"} {
		code, out := s.run("output", output, "--file", s.script, "--var", s.vars[0])
		if code != 0 {
			t.Fatalf("output %s: %s", output, out)
		}
		if err := os.WriteFile(filepath.Join(certs, name), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, at := s.run("output", "docker_host", "--file", s.script, "--var", s.vars[0])
	for _, with := range []bool{true, false} {
		options := []docker.Opt{docker.WithHost(strings.TrimSpace(at)), docker.WithAPIVersionNegotiation()}
		if with {
			options = append(options, docker.WithTLSClientConfig(filepath.Join(certs, "ca.pem"), filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem")))
		}
		engine, err := docker.NewClientWithOpts(options...)
		if err != nil {
			t.Fatal(err)
		}
		info, err := engine.Info(t.Context())
		engine.Close()
		if (err == nil) != with || with && info.Name != "docker-host" {
			t.Errorf("with its certificate %v: it is %q, %v", with, info.Name, err)
		}
	}
	if out := s.apply([]string{"open_ports=80,443", "size=Standard_B4ms"}); !strings.Contains(out, "0 added, 2 changed, 0 replaced, 0 deleted") {
		t.Errorf("ports and size:\n%s", out)
	}
	s.settled()
	s.leaves("5")
}

// So many machines with a web server and a cache each; their number changes, and
// their size, each time for those alone that it is about.
func TestAzureLoop(t *testing.T) {
	t.Parallel()
	s := inAzure(t, "azure-loop", "packages=distribution", "web_port=8080")
	s.apply([]string{"machines=2"})
	s.settled()
	if out := s.apply([]string{"machines=3"}); !strings.Contains(out, "0 changed, 0 replaced, 0 deleted") {
		t.Errorf("one more:\n%s", out)
	}
	s.settled()
	if out := s.apply([]string{"machines=1", "size=Standard_B2s"}); !strings.Contains(out, "0 added, 1 changed, 0 replaced") {
		t.Errorf("one, of another size:\n%s", out)
	}
	s.settled()
	s.leaves("7")
}

// The swarm of examples/azure-swarm, small, on real machines. What its load balancer
// is asked, a worker answers: with one more, one less, others of another size, and
// after one has lost its power. Then nothing is left of it.
func TestAzureSwarmOfRealMachines(t *testing.T) {
	site := testhost.Site(t)
	s := &stage{T: t, script: filepath.Join(copied(t, "azure-swarm"), "cluster.star"), site: site.Name(), project: "azure-swarm-demo"}
	s.vars = []string{"managers=1", "replicas=1", "packages=distribution", "image=" + testengine.Web1, "custom_data=" + s.bornWithImages()}
	// A kernel without IPVS has no routing mesh and no virtual addresses: a port is
	// published where a task runs, and the load balancer's probe finds out where.
	s.edit(`ports = [port(80, published = 8080)]`, `ports = [port(8080, published = 8080, mode = "host")], endpoint_mode = "dnsrr"`)
	s.edit(`follow = cluster,`, `rules = [lb_rule("web", 8080)],`)
	s.edit(`vm("mgr-%d" % i, provider = cloud`, `vm("mgr-%d" % i, provider = cloud, custom_data = var("custom_data")`)
	s.edit(`vm("wrk-%d" % i, provider = cloud`, `vm("wrk-%d" % i, provider = cloud, custom_data = var("custom_data")`)
	s.azure("--machines", "local", "--site", s.site)

	s.applies("workers=2")
	s.answered()
	if out := s.applies("workers=3"); !strings.Contains(out, "0 replaced, 0 deleted") {
		t.Errorf("one more:\n%s", out)
	}
	s.answered()
	s.applies("workers=2")
	s.answered()
	if out := s.applies("workers=2", "size=Standard_D2s_v5"); !strings.Contains(out, "2 replaced") {
		t.Errorf("machines of another size:\n%s", out)
	}
	front := s.answered()

	had := anew(front)
	busy := s.machine(s.on("mgr-0", "sudo docker service ps web --filter desired-state=running --format '{{.Node}}'", nil))
	if err := busy.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.eventually("another one answers", func() bool { now := anew(front); return strings.HasPrefix(now, served) && now != had })
	if err := busy.Start(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	s.settled()

	s.leaves("24")
	if all, err := site.List(); err != nil || len(all) != 0 {
		t.Errorf("machines are left: %v, %v", all, err)
	}
	if _, err := net.InterfaceByName("ss-" + s.site); err == nil {
		t.Error("their bridge is left")
	}
	s.eventually("the load balancer's port is closed", func() bool { return strings.Contains(anew(front), "connection refused") })
}

// applies applies; then nothing is left to do.
func (s *stage) applies(vars ...string) string {
	s.Helper()
	begun := time.Now()
	out := s.apply(vars)
	s.settled()
	s.Logf("%v: %s", vars, time.Since(begun).Round(time.Second))
	return out
}

// edit goes on with another text of the script.
func (s *stage) edit(old, now string) {
	s.Helper()
	text, err := os.ReadFile(s.script)
	if err != nil || strings.Count(string(text), old) != 1 {
		s.Fatalf("the example does not have one %s: %v", old, err)
	}
	if err := os.WriteFile(s.script, []byte(strings.Replace(string(text), old, now, 1)), 0o600); err != nil {
		s.Fatal(err)
	}
}

// bornWithImages is custom data that installs an engine, and brings the test images to
// it: there is no registry here. Machines have them from this computer, through which
// they reach all else.
func (s *stage) bornWithImages() string {
	s.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		s.Fatal(err)
	}
	archive := testengine.Archive(s)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, archive) }))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	s.Cleanup(server.Close)
	return fmt.Sprintf(`#cloud-config
packages: [docker.io]
runcmd:
- curl -fsS "http://$(ip route show default | cut -d ' ' -f 3):%d/" | docker load --quiet
- docker tag %s redis:7
`, l.Addr().(*net.TCPAddr).Port, testengine.Sleep)
}

// answered waits until what the load balancer is asked is answered, and returns its
// URL.
func (s *stage) answered() string {
	s.Helper()
	code, out := s.run(append([]string{"output", "url", "--file"}, s.args("", s.last)[1:]...)...)
	url := strings.TrimSpace(out)
	if code != 0 {
		s.Fatalf("output url: %s", out)
	}
	s.eventually(url+" answers", func() bool { return strings.HasPrefix(anew(url), served) })
	return url
}

// served is how the answer of a test image begins.
const served = "200 OK: version 1 on "

// anew is a page, over a connection of its own: one that is there stays with who has
// it.
func anew(url string) string {
	web := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return pageOf(web, url)
}
