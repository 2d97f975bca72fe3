package run

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// ownDocker takes the caller's own docker settings out of a test, and returns
// docker's configuration folder.
func ownDocker(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, v := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_AUTH_CONFIG", "DOCKER_API_VERSION"} {
		t.Setenv(v, "")
	}
	t.Setenv("DOCKER_CONFIG", dir)
	return dir
}

// reached plans, and checks that the engine answered.
func reached(t *testing.T, opts Options) *Planned {
	t.Helper()
	p := planOf(t, opts)
	for addr, s := range p.view.scopes {
		if s.State.Status == plan.Unreachable {
			t.Fatalf("%s: %v", addr, s.State.Err)
		}
	}
	return p
}

func empty(t *testing.T, opts Options) {
	t.Helper()
	if p := reached(t, opts); !p.Plan.Empty() {
		t.Fatalf("the plan is not empty:\n%s", show(p.Plan))
	}
}

// notReached plans, and checks what is said of the engine that did not answer.
func notReached(t *testing.T, opts Options, want ...string) {
	t.Helper()
	p := planOf(t, opts)
	var err error
	for _, s := range p.view.scopes {
		if s.State.Scope.Type == "engine" {
			err = s.State.Err
		}
	}
	if !errors.Is(err, resource.ErrUnreachable) {
		t.Fatalf("the engine's state is %v, want it unreachable", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q lacks %q", err, w)
		}
	}
	t.Log(err)
}

// small is a script that has all there is: a swarm, a network, a service.
func small(engine, addr string) string {
	return fmt.Sprintf(`
project("shop", env = "test")
swarm.init(%s, advertise_addr = %q)
net = network("backend")
for i in range(12):
    config("conf%%d" %% i, content = "hello")
service("web", image = "swarmtest/sleep:1", networks = [net], no_resolve_image = True,
        update = update_policy(monitor = "100ms"))
`, engine, addr)
}

func TestSSH(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) { testSSH(t, v) })
	}
}

func testSSH(t *testing.T, v testengine.Version) {
	ownDocker(t)
	e := testengine.Start(t, v)
	testengine.Images(e)
	s := testengine.StartSSHD(e)
	t.Setenv("PATH", s.Bin+":"+os.Getenv("PATH"))
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	opts := Options{Timeout: 3 * time.Minute, File: write(t, dir, small(fmt.Sprintf(`engine("ssh://%s", name = "far")`, s.Host), e.Addr))}

	applyAll(t, opts)
	if n := s.Logins(); n != 1 {
		t.Errorf("an apply logged in %d times", n)
	}
	p := reached(t, opts)
	if !p.Plan.Empty() {
		t.Fatalf("the plan is not empty:\n%s", show(p.Plan))
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := s.Logins(); n != 2 {
		t.Errorf("an apply and a plan logged in %d times", n)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "swst*")); len(left) > 1 { // the apply's
		t.Errorf("left behind: %s", left)
	}
	// By DOCKER_HOST, with a user, a port, and no help from the configuration
	// but the key.
	env := opts
	env.File = write(t, t.TempDir(), small(`engine(name = "far")`, e.Addr))
	t.Setenv("DOCKER_HOST", "ssh://root@"+s.Host+":"+s.Port)
	empty(t, env)
	t.Setenv("DOCKER_HOST", "")
	// Under another name it is the same engine, not a second one.
	env.File = write(t, dir, small("engine()", e.Addr))
	t.Setenv("DOCKER_HOST", e.Host)
	empty(t, env)
	// Nor while the new name does not answer.
	t.Setenv("DOCKER_HOST", e.Host+".none")
	if p := planOf(t, env); !p.Plan.Empty() || p.view.scopes["engine.far"].State.Status != plan.Unreachable {
		t.Errorf("the engine is there by its old name, and not by its new:\n%s", show(p.Plan))
	}
	t.Setenv("DOCKER_HOST", "")
	opts.File = write(t, dir, small(fmt.Sprintf(`engine("ssh://%s", name = "far")`, s.Host), e.Addr))
	if v != testengine.Docker28 {
		return
	}

	t.Run("socket path", func(t *testing.T) {
		o := opts
		o.File = write(t, t.TempDir(), small(fmt.Sprintf(`engine("ssh://%s%s", name = "far")`, s.Host, strings.TrimPrefix(e.Host, "unix://")), e.Addr))
		empty(t, o)
	})
	t.Run("a login of the user's", func(t *testing.T) {
		control := filepath.Join(filepath.Dir(s.Config), "own") // not too long for a socket
		config := edit(t, s.Config, "Host *\n", "Host *\n  ControlPath "+control+"\n")
		defer config()
		if out, err := command("ssh", "-M", "-N", "-f", s.Host); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		before := s.Logins()
		empty(t, opts)
		if n := s.Logins() - before; n != 0 {
			t.Errorf("the user is logged in, and we logged in %d times", n)
		}
		if out, err := command("ssh", "-O", "exit", s.Host); err != nil {
			t.Errorf("the user's login is gone: %s", out)
		}
	})
	t.Run("lost login", func(t *testing.T) {
		t.Setenv("TMPDIR", filepath.Dir(s.Config))
		p := reached(t, opts)
		controls, err := filepath.Glob(filepath.Join(filepath.Dir(s.Config), "swst*", "c"))
		if err != nil || len(controls) != 1 {
			t.Fatalf("the control sockets are %s, %v", controls, err)
		}
		if out, err := command("ssh", "-S", controls[0], "-O", "exit", s.Host); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		before := s.Logins()
		if err := p.view.observe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := p.view.scopes["engine.far"].State; st.Status != plan.Present {
			t.Errorf("after a lost login: %v", st.Err)
		}
		if n := s.Logins() - before; n != 1 {
			t.Errorf("logged in %d times again", n)
		}
	})
	t.Run("unknown host key", func(t *testing.T) {
		defer edit(t, s.Known, "[127.0.0.1]", "[127.0.0.2]")()
		notReached(t, opts, "at ssh://"+s.Host, "host key is not known", "ssh "+s.Host)
	})
	t.Run("changed host key", func(t *testing.T) {
		defer edit(t, s.Known, "", strings.Replace(read(t, strings.TrimSuffix(s.Known, "known_hosts")+"other_key.pub"), "ssh-ed25519", "[127.0.0.1]:"+s.Port+" ssh-ed25519", 1))()
		notReached(t, opts, "not the one that is known", "another machine")
	})
	t.Run("another key", func(t *testing.T) {
		defer edit(t, s.Config, "user_key", "other_key")()
		notReached(t, opts, "was not let in", "Permission denied")
	})
	t.Run("no docker there", func(t *testing.T) {
		docker := filepath.Join(s.Remote, "docker")
		if err := os.Rename(docker, docker+".away"); err != nil {
			t.Fatal(err)
		}
		defer os.Rename(docker+".away", docker)
		notReached(t, opts, "no docker command there")
	})
	t.Run("no engine there", func(t *testing.T) {
		e.Kill()
		notReached(t, opts, "no engine")
		e.Restart()
	})
	t.Run("refused port", func(t *testing.T) {
		s.Stop()
		notReached(t, opts, "connection refused", "is sshd running")
	})
	t.Run("no such name", func(t *testing.T) {
		o := opts
		o.File = write(t, t.TempDir(), small(`engine("ssh://no-such-host.invalid", name = "far")`, e.Addr))
		notReached(t, o, "cannot be resolved")
	})
	t.Run("no ssh here", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		notReached(t, opts, "no ssh command here")
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edit replaces a text in a file, all of it where old is "", and returns what
// undoes that.
func edit(t *testing.T, path, old, text string) func() {
	t.Helper()
	before := read(t, path)
	after := text
	if old != "" {
		after = strings.ReplaceAll(before, old, text)
	}
	put := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(after)
	return func() { put(before) }
}

func command(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	// Not a pipe, which an ssh that goes to the background would keep open.
	err := cmd.Run()
	return cmd.String(), err
}

// TestTCP reaches an engine by TLS in every way that there is to say so.
func TestTCP(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	dir := ownDocker(t)
	e := testengine.Start(t, testengine.Docker28, testengine.TLS())
	testengine.Images(e)
	root := t.TempDir()
	certs := filepath.Join(root, "certs")
	if err := os.CopyFS(certs, os.DirFS(e.CertPath)); err != nil {
		t.Fatal(err)
	}
	script := func(engine string) Options {
		return Options{Timeout: 3 * time.Minute, File: write(t, root, small(engine, e.Addr))}
	}
	tls := func(ca, cert, key string) Options {
		return script(fmt.Sprintf(`engine(%q, name = "far", tls_ca = %q, tls_cert = %q, tls_key = %q)`, e.TCPHost, ca, cert, key))
	}
	// The test's folder is not the script's.
	good := tls("certs/ca.pem", "certs/cert.pem", "certs/key.pem")
	applyAll(t, good)
	empty(t, good)
	abs := tls(filepath.Join(certs, "ca.pem"), filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem"))
	empty(t, abs)

	envOpts := script(`engine(name = "far")`)
	t.Run("environment", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", e.TCPHost)
		t.Setenv("DOCKER_TLS_VERIFY", "1")
		t.Setenv("DOCKER_CERT_PATH", certs)
		empty(t, envOpts)
	})
	t.Run("environment without TLS", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", e.TCPHost)
		notReached(t, envOpts, "DOCKER_HOST", "wants TLS")
	})
	t.Run("context", func(t *testing.T) {
		cli(t, "context", "create", "far", "--docker",
			fmt.Sprintf("host=%s,ca=%s/ca.pem,cert=%s/cert.pem,key=%s/key.pem", e.TCPHost, certs, certs, certs))
		cli(t, "context", "create", "near", "--docker", "host="+e.Host)
		t.Run("by name", func(t *testing.T) { empty(t, script(`engine(context = "far", name = "far")`)) })
		t.Run("DOCKER_CONTEXT", func(t *testing.T) {
			t.Setenv("DOCKER_CONTEXT", "near")
			empty(t, script(`engine(name = "far")`))
		})
		t.Run("current", func(t *testing.T) {
			cli(t, "context", "use", "far")
			empty(t, script(`engine(name = "far")`))
		})
		t.Run("without its certificate", func(t *testing.T) {
			cli(t, "context", "create", "bare", "--docker", fmt.Sprintf("host=%s,ca=%s/ca.pem", e.TCPHost, certs))
			notReached(t, script(`engine(context = "bare", name = "far")`), "context bare", "wants a certificate", "the context's cert.pem")
		})
		if _, err := Plan(t.Context(), script(`engine(context = "fra", name = "far")`)); err == nil || !strings.Contains(err.Error(), "there is no such context") {
			t.Errorf("a context that is not there: %v", err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "config.json")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another authority", func(t *testing.T) {
		other := testengine.Certificates(t, t.TempDir(), testengine.Nobody)
		notReached(t, tls(filepath.Join(other, "ca.pem"), "certs/cert.pem", "certs/key.pem"), "unknown authority", "check tls_ca")
		notReached(t, tls("certs/ca.pem", filepath.Join(other, "cert.pem"), filepath.Join(other, "key.pem")), "refused our certificate", "check tls_cert and tls_key")
	})
	t.Run("expired", func(t *testing.T) {
		testengine.Expire(t, certs)
		notReached(t, tls("certs/ca.pem", "certs/cert.pem", "certs/key.pem"), "our certificate expired on ", "renew tls_cert and tls_key")
	})
	t.Run("no certificate", func(t *testing.T) {
		notReached(t, script(fmt.Sprintf(`engine(%q, name = "far", tls_ca = "certs/ca.pem")`, e.TCPHost)), "wants a certificate", "tls_cert")
	})
	t.Run("no file", func(t *testing.T) {
		_, err := Plan(t.Context(), tls("certs/none.pem", "certs/cert.pem", "certs/key.pem"))
		if err == nil || !strings.Contains(err.Error(), filepath.Join(certs, "none.pem")) {
			t.Errorf("a file that is not there: %v", err)
		}
	})
	t.Run("no verification", func(t *testing.T) {
		cp := filepath.Join(root, "fresh")
		if err := os.CopyFS(cp, os.DirFS(e.CertPath)); err != nil {
			t.Fatal(err)
		}
		empty(t, script(fmt.Sprintf(`engine(%q, name = "far", tls_verify = False, tls_cert = "fresh/cert.pem", tls_key = "fresh/key.pem")`, e.TCPHost)))
	})
}

// A tcp address without TLS.
func TestPlainTCP(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	ownDocker(t)
	e := testengine.Start(t, testengine.Debian20, testengine.TCP())
	testengine.Images(e)
	opts := Options{Timeout: 3 * time.Minute, File: write(t, t.TempDir(), small(fmt.Sprintf(`engine(%q, name = "far")`, e.TCPHost), e.Addr))}
	applyAll(t, opts)
	empty(t, opts)
	t.Setenv("DOCKER_HOST", e.TCPHost)
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	t.Setenv("DOCKER_CERT_PATH", testengine.Certificates(t, t.TempDir(), testengine.Nobody))
	opts.File = write(t, t.TempDir(), small(`engine(name = "far")`, e.Addr))
	notReached(t, opts, "does not speak TLS")
}

// cli runs the docker CLI in the test's environment.
func cli(t *testing.T, args ...string) {
	t.Helper()
	tool, err := testengine.Tool("docker")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
