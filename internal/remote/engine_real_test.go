package remote_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// ping asks the engine of a host for its version.
func ping(t *testing.T, h *remote.Host, socket string) error {
	t.Helper()
	d, err := h.Docker(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.Ready(t.Context())
	return err
}

// Where sshd forwards nothing, the docker command there does it.
func TestEngineWithoutForwarding(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	docker, err := testengine.Tool("docker")
	if err != nil {
		t.Fatal(err)
	}
	socket := strings.TrimPrefix(e.Host, "unix://")
	s := testengine.StartBareSSHD(t, "DisableForwarding yes", "SetEnv PATH="+filepath.Dir(docker)+":/usr/bin:/bin")
	h := dial(t, machine(t, s))
	d, err := h.Docker(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 40 { // more than there are sessions, beside commands
		wg.Go(func() {
			if _, err := d.API().Info(t.Context()); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := h.Run(t.Context(), remote.Command{Script: "true"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.Logins(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}

	for _, tt := range []struct{ socket, want string }{
		{"/none.sock", "there is no socket /none.sock on root@127.0.0.1:" + s.Port + " (is Docker installed and running there?)"},
		{"/etc/passwd", "/etc/passwd on root@127.0.0.1:" + s.Port + " is no socket"},
	} {
		if err := ping(t, h, tt.socket); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.socket, err, tt.want)
		}
	}
	e.Kill()
	if err := ping(t, h, socket); err == nil || !strings.Contains(err.Error(), "the docker command on root@127.0.0.1:"+s.Port+" reaches no engine: ") && !strings.Contains(err.Error(), "there is no socket") {
		t.Errorf("an engine that is off: %v", err)
	}
}

// A user who may not use the engine uses sudo, and its own right once it is in
// the group and logs in anew.
func TestEngineOnHost(t *testing.T) {
	host := testhost.Start(t, "debian-12", testhost.User("deploy"))
	m := onHost(t, host)
	h := dial(t, m)
	if err := ping(t, h, ""); err == nil || !strings.Contains(err.Error(), "there is no socket /var/run/docker.sock on deploy@"+host.Address) {
		t.Errorf("before Docker is there: %v", err)
	}
	if _, err := h.Run(t.Context(), remote.Command{Root: true, Script: "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && apt-get install -qy --no-install-recommends docker.io"}); err != nil {
		t.Fatal(err)
	}
	never := m
	never.Sudo = "never"
	if err := ping(t, dial(t, never), ""); err == nil || !strings.Contains(err.Error(), "add the user to the group that owns it, often docker") {
		t.Errorf("without sudo: %v", err)
	}
	d, err := h.Docker("")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if version, err := d.Ready(t.Context()); err != nil || version != "1.41" {
		t.Fatalf("by sudo: %q, %v", version, err)
	}
	if _, err := d.API().SwarmInit(t.Context(), swarm.InitRequest{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: host.Address}); err != nil {
		t.Error(err)
	}

	host.Sh("usermod -aG docker deploy")
	h.Reconnect()
	before := h.Used().Channels
	d.Close() // idle connections of the old login
	if nodes, err := d.API().NodeList(t.Context(), swarm.NodeListOptions{}); err != nil || len(nodes) != 1 {
		t.Errorf("in the group: %d nodes, %v", len(nodes), err)
	}
	if n := h.Used().Channels - before; n != 1 {
		t.Errorf("%d channels, want one that is forwarded", n)
	}
	if err := ping(t, dial(t, never), ""); err != nil {
		t.Errorf("in the group, without sudo: %v", err)
	}
}
