package examples_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	docker "github.com/docker/docker/client"
)

// inAzure is an example in an Azure of this computer: swarmscript azure-emulator, in
// a process of its own, with hosts of a lab behind its machines.
func inAzure(t *testing.T, example string, vars ...string) *stage {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "example"), os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, script: filepath.Join(dir, "example", "cluster.star"), vars: vars, env: []string{"SWARMSCRIPT_LAB_IDLE=5m", "HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "SSH_AUTH_SOCK="}}
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "azure")
	emulator := exec.Command(bin, "azure-emulator", "--state", state, "--machines", "lab", "--listen", "127.0.0.1:0", "--operation-time", "0s", "--unlimited")
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
		if code, out := s.run("lab", "--lab", filepath.Join(state, "lab"), "ls"); code != 0 || !strings.Contains(out, "no hosts") {
			t.Errorf("left in the lab: %s", out)
			s.run("lab", "--lab", filepath.Join(state, "lab"), "reset", "--auto-approve")
		}
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
	return s
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
