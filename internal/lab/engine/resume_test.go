package engine

import (
	"path/filepath"
	"testing"
	"time"

	containertypes "github.com/docker/docker/api/types/container"
	networktypes "github.com/docker/docker/api/types/network"
)

// reopened is a host whose engine is closed, as by a power cut, and opened again.
type reopened struct {
	t    *testing.T
	cfg  Config
	path string
	shut func()
}

func newReopened(t *testing.T) (*reopened, *Engine) {
	r := &reopened{t: t, cfg: config("m1"), path: filepath.Join(t.TempDir(), "lab.db")}
	return r, r.open(false)
}

func (r *reopened) open(live bool) *Engine {
	r.t.Helper()
	s := open(r.t, r.path)
	r.cfg.Store, r.cfg.Live = s.In("engine-m1"), live
	e, err := New(r.t.Context(), r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.shut = func() { e.Close(); s.Close() }
	r.t.Cleanup(r.shut)
	return e
}

func (r *reopened) again(live bool) *Engine {
	r.t.Helper()
	r.shut()
	return r.open(live)
}

// TestResume closes an engine at any moment: what ran runs on, with all it had.
func TestResume(t *testing.T) {
	host, e := newReopened(t)
	if _, err := create(e, networktypes.CreateRequest{Name: "back"}); err != nil {
		t.Fatal(err)
	}
	run(t, e, "web", containertypes.Config{
		ExposedPorts: map[natPort]struct{}{"80/tcp": {}},
		Healthcheck:  &containertypes.HealthConfig{Test: []string{"CMD", "x"}, Interval: 5 * time.Millisecond},
	}, containertypes.HostConfig{NetworkMode: "back", Binds: []string{"data:/data"}, PortBindings: bindings("80/tcp", "8080")})
	run(t, e, "job", containertypes.Config{Image: "busybox", Cmd: []string{"sh", "-c", "sleep 0.2; exit 5"}}, containertypes.HostConfig{})
	before, id := inspect(t, e, "web"), e.ID()

	e = host.again(true)
	after := inspect(t, e, "web")
	if e.ID() != id || after.ID != before.ID || !after.State.Running || after.State.StartedAt != before.State.StartedAt ||
		after.NetworkSettings.Networks["back"].IPAddress != before.NetworkSettings.Networks["back"].IPAddress || len(after.NetworkSettings.Ports["80/tcp"]) != 2 {
		t.Errorf("before %+v %+v\nafter  %+v %+v", before.State, before.NetworkSettings, after.State, after.NetworkSettings)
	}
	until(t, e, "web", func(c *container) bool { return c.State.Health.Status == containertypes.Healthy })
	if code := wait(t, e, "job", containertypes.WaitConditionNotRunning); code != 5 {
		t.Errorf("the job, whose time goes on: %d", code)
	}
	// Its address and its port are still taken.
	run(t, e, "next", containertypes.Config{}, containertypes.HostConfig{NetworkMode: "back"})
	if ip := inspect(t, e, "next").NetworkSettings.Networks["back"].IPAddress; ip == after.NetworkSettings.Networks["back"].IPAddress {
		t.Errorf("two containers have %s", ip)
	}
}

// TestPowerCut is that of the host: containers ended, and start again as their
// policies say.
func TestPowerCut(t *testing.T) {
	host, e := newReopened(t)
	for _, policy := range []containertypes.RestartPolicyMode{"no", "always", "unless-stopped", "on-failure"} {
		run(t, e, string(policy), containertypes.Config{}, containertypes.HostConfig{RestartPolicy: containertypes.RestartPolicy{Name: policy}})
		name := "stopped-" + string(policy)
		run(t, e, name, containertypes.Config{}, containertypes.HostConfig{RestartPolicy: containertypes.RestartPolicy{Name: policy}})
		if err := e.ContainerStop(t.Context(), name, containertypes.StopOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	e = host.again(false)
	for name, running := range map[string]bool{
		"no": false, "always": true, "unless-stopped": true, "on-failure": true,
		"stopped-no": false, "stopped-always": true, "stopped-unless-stopped": false, "stopped-on-failure": false,
	} {
		if got := inspect(t, e, name).State; got.Running != running {
			t.Errorf("%s: running is %v", name, got.Running)
		}
	}
	if code := inspect(t, e, "no").State.ExitCode; code != 255 {
		t.Errorf("cut off: exit code %d", code)
	}
}
