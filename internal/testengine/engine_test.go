package testengine

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// get asks a published port until it answers.
func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.Now().Add(3 * time.Minute)
	for {
		resp, err := client.Get(url)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return string(body)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", url, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Two engines of two releases, each with its own swarm, the same names and the same ports.
func TestSideBySide(t *testing.T) {
	versions := map[Version]string{Debian20: "1.41", Docker28: "1.51"}
	engines := map[Version]*Engine{}
	for v := range versions {
		start := time.Now()
		engines[v] = Start(t, v)
		t.Logf("%s: started in %s", v, time.Since(start))
	}
	for v, api := range versions {
		e := engines[v]
		if got := e.Docker("version", "--format", "{{.Server.APIVersion}} {{.Client.Version}}"); got != api+" 28.5.2" {
			t.Errorf("%s: API and CLI versions are %s", v, got)
		}
		start := time.Now()
		e.Docker("swarm", "init", "--advertise-addr", e.Addr)
		t.Logf("%s: swarm init in %s", v, time.Since(start))
		start = time.Now()
		Images(e)
		t.Logf("%s: images in %s", v, time.Since(start))
		start = time.Now()
		e.DockerInput("hush", "secret", "create", "word", "-")
		e.Docker("service", "create", "--detach", "--quiet", "--name", "web", "--secret", "word", "--publish", "mode=host,target=8080,published=80", Web2)
		body := get(t, "http://"+e.Addr+"/")
		t.Logf("%s: service answers in %s: %s", v, time.Since(start), body)
		if !strings.HasPrefix(body, "version 2 on ") {
			t.Errorf("%s answers %q", v, body)
		}
		if got := get(t, "http://"+e.Addr+"/secret/word"); got != "hush" {
			t.Errorf("%s: the secret is %q", v, got)
		}
	}
}

func TestJoin(t *testing.T) {
	manager, worker := Start(t, Docker28, Hostname("m1")), Start(t, Debian20, Hostname("w1"))
	manager.Docker("swarm", "init", "--advertise-addr", manager.Addr)
	token := manager.Docker("swarm", "join-token", "--quiet", "worker")
	worker.Docker("swarm", "join", "--token", token, manager.Addr+":2377")
	if got := manager.Docker("node", "ls", "--format", "{{.Hostname}}"); !strings.Contains(got, "m1") || !strings.Contains(got, "w1") {
		t.Errorf("the nodes are %s", got)
	}
}

func TestKillRestartPause(t *testing.T) {
	for _, v := range []Version{Debian20, Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			e := Start(t, v)
			Images(e)
			e.Docker("swarm", "init", "--advertise-addr", e.Addr)
			e.Docker("service", "create", "--detach", "--quiet", "--name", "web", "--publish", "mode=host,target=8080,published=80", Web1)
			url := "http://" + e.Addr + "/"
			get(t, url)

			e.Kill()
			if out, err := e.TryDocker("info"); err == nil {
				t.Errorf("a killed engine answers: %s", out)
			}
			start := time.Now()
			e.Restart()
			get(t, url)
			t.Logf("up again %s after a power cut", time.Since(start))
			start = time.Now()
			e.Restart()
			get(t, url)
			t.Logf("restarted in %s", time.Since(start))

			e.Pause()
			client := e.client()
			client.Timeout = 300 * time.Millisecond
			if _, err := client.Get("http://engine/info"); err == nil {
				t.Error("a paused engine answers")
			}
			e.Continue()
			e.Docker("info")
			if !strings.Contains(e.Logs(), "API listen on") {
				t.Error("the log lacks the engine's start")
			}
		})
	}
}

func TestListeners(t *testing.T) {
	for _, v := range []Version{Debian20, Docker28} {
		e := Start(t, v, TCP())
		e.Docker("--host", e.TCPHost, "info")
		e = Start(t, v, TLS())
		e.Docker("--host", e.TCPHost, "--tlsverify", "--tlscacert", e.CertPath+"/ca.pem", "--tlscert", e.CertPath+"/cert.pem", "--tlskey", e.CertPath+"/key.pem", "info")
		if _, err := e.TryDocker("--host", e.TCPHost, "info"); err == nil {
			t.Errorf("%s: answers without a certificate", v)
		}
	}
}

// What a closed engine, or one whose test process died, leaves: nothing.
func TestNothingIsLeft(t *testing.T) {
	if err := usable(); err != nil {
		t.Skip(err)
	}
	e, err := New(Docker28)
	if err != nil {
		t.Fatal(err)
	}
	bound := e.In(t)
	Images(bound)
	bound.Docker("swarm", "init", "--advertise-addr", e.Addr)
	bound.Docker("run", "--detach", "--publish", "80:8080", Web1)
	get(t, "http://"+e.Addr+"/")
	s := *e.slot
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, left := range leftovers(t, &s) {
		t.Error("left:", left)
	}
	if err := e.Close(); err != nil {
		t.Error("closed again:", err)
	}
}

func leftovers(t *testing.T, s *slot) (left []string) {
	if exists(s.dir) {
		left = append(left, s.dir)
	}
	left = append(left, cgroups(s.cgroup())...)
	if exists("/sys/class/net/" + s.link()) {
		left = append(left, s.link())
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), s.dir+"/") {
		left = append(left, "a mount below "+s.dir)
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, _ := os.ReadFile(path)
		if strings.Contains(string(line), s.dir+"/") {
			left = append(left, fmt.Sprintf("%s: %q", path, line))
		}
	}
	return left
}
