package testengine

import (
	"strings"
	"testing"
	"time"
)

func TestProxy(t *testing.T) {
	e := Start(t, Docker28)
	Images(e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	p := Proxy(t, e)
	docker := func(args ...string) (string, error) {
		return e.TryDocker(append([]string{"--host", p.Host}, args...)...)
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := docker(args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}

	must("network", "ls")
	must("config", "ls")
	if p.Writes() != 0 || p.Count("GET", "/networks") != 1 || p.Count("", "/configs") != 1 || p.Reads() < 2 {
		t.Errorf("the calls are %v", p.Calls())
	}
	must("volume", "create", "v1")
	if p.Writes() != 1 || p.Count("POST", "/volumes/*") != 1 {
		t.Errorf("the calls are %v", p.Calls())
	}
	// Streams that take the connection over.
	id := must("run", "--detach", Health)
	for strings.Contains(must("ps"), "starting") {
		time.Sleep(50 * time.Millisecond)
	}
	if got := must("exec", id, "/swarmtest", "health"); got != "ok" {
		t.Errorf("exec printed %q", got)
	}
	if _, err := docker("run", "--rm", Fail); err == nil || !strings.Contains(err.Error(), "MARIADB_ROOT_PASSWORD") {
		t.Errorf("run: %v", err)
	}
	if got := must("ps"); !strings.Contains(got, "(healthy)") {
		t.Errorf("not healthy: %s", got)
	}
}

func TestProxyFaults(t *testing.T) {
	e := Start(t, Docker28)
	p := Proxy(t, e)
	create := func(name string) error {
		_, err := e.TryDocker("--host", p.Host, "volume", "create", name)
		return err
	}
	volumes := func() string { return e.Docker("volume", "ls", "--quiet") }

	p.DropAfter(1)
	if err := create("vol-a"); err != nil {
		t.Error(err)
	}
	if err := create("vol-b"); err == nil {
		t.Error("the answer to b was to be lost")
	}
	if err := create("vol-c"); err == nil {
		t.Error("c was to be cut")
	}
	if got := volumes(); got != "vol-a\nvol-b" {
		t.Errorf("the volumes are %q", got)
	}

	p.Reset()
	p.Refuse(true)
	if err := create("vol-d"); err == nil || !strings.Contains(err.Error(), "Cannot connect to the Docker daemon") {
		t.Errorf("refused: %v", err)
	}
	p.Refuse(false)
	p.Delay(200 * time.Millisecond)
	start := time.Now()
	if err := create("vol-e"); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("a delayed call took %s", took)
	}
	p.Reset()
	p.Fault(func(c Call) Fault {
		if c.Write() {
			return Cut
		}
		return Pass
	})
	if err := create("vol-f"); err == nil {
		t.Error("f was to be cut")
	}
	if got := volumes(); got != "vol-a\nvol-b\nvol-e" {
		t.Errorf("the volumes are %q", got)
	}
}
