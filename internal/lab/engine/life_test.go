package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	imagetypes "github.com/docker/docker/api/types/image"
)

// start makes an engine without a server.
func start(t *testing.T, cfg Config) *Engine {
	t.Helper()
	e, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// run creates and starts a container of an image that is pulled where it is missing.
func run(t *testing.T, e *Engine, name string, config containertypes.Config, host containertypes.HostConfig) string {
	t.Helper()
	if config.Image == "" {
		config.Image = "nginx:1.27"
	}
	named := mustRef(config.Image)
	if err := e.pull(t.Context(), named, "", nil, discard{}); err != nil {
		t.Fatal(err)
	}
	r, err := e.ContainerCreate(t.Context(), backend.ContainerCreateConfig{Name: name, Config: &config, HostConfig: &host})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.ContainerStart(t.Context(), name, "", ""); err != nil {
		t.Fatal(err)
	}
	return r.ID
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func inspect(t *testing.T, e *Engine, name string) *containertypes.InspectResponse {
	t.Helper()
	c, err := e.ContainerInspect(t.Context(), name, backend.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// until waits for a condition of a container, as long as the test may run.
func until(t *testing.T, e *Engine, name string, holds func(*container) bool) {
	t.Helper()
	e.mu.Lock()
	c, err := e.find(name)
	e.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.await(t.Context(), c, func() bool { return holds(c) }); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, e *Engine, name string, condition containertypes.WaitCondition) int {
	t.Helper()
	ch, err := e.ContainerWait(t.Context(), name, condition)
	if err != nil {
		t.Fatal(err)
	}
	return (<-ch).ExitCode()
}

func TestCommandsThatEnd(t *testing.T) {
	for _, c := range []struct {
		command string
		runs    time.Duration
		exit    int
		output  string
	}{
		{"true", 0, 0, ""},
		{"/bin/false", 0, 1, ""},
		{"sleep 3", 3 * time.Second, 0, ""},
		{"sleep 1m", time.Minute, 0, ""},
		{"sleep infinity", forever, 0, ""},
		{"sleep x", 0, 1, ""},
		{"echo hello world", 0, 0, "hello world"},
		{"/app exit 3", 0, 3, ""},
		{"/app serve", forever, 0, ""},
		{"sh", 0, 0, ""},
		{"sh -c|echo 'a b'; sleep 2 && exit 4", 2 * time.Second, 4, "a b"},
		{"sh -c|exec nginx", forever, 0, ""},
		{"sh -c|echo $HOME", forever, 0, ""},
	} {
		command := strings.Fields(c.command)
		if before, after, ok := strings.Cut(c.command, "|"); ok {
			command = append(strings.Fields(before), after)
		}
		p := simulate(command, false)
		if p.runs != c.runs || p.exit != c.exit || strings.Join(p.output, "\n") != c.output {
			t.Errorf("%s: runs %v, exits with %d, says %q", c.command, p.runs, p.exit, p.output)
		}
	}
}

func TestEventsInOrder(t *testing.T) {
	e := start(t, config("m1"))
	_, l := e.SubscribeToEvents(time.Time{}, time.Time{}, filters.NewArgs())
	defer e.UnsubscribeFromEvents(l)
	run(t, e, "web", containertypes.Config{Labels: map[string]string{"a": "b"}}, containertypes.HostConfig{Binds: []string{"data:/data"}})
	if err := e.ContainerStop(t.Context(), "web", containertypes.StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := e.ContainerRm("web", &backend.ContainerRmConfig{}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(l) > 0 {
		m := (<-l).(events.Message)
		got = append(got, string(m.Type)+" "+string(m.Action))
		if m.Type == events.ContainerEventType && (m.Actor.Attributes["a"] != "b" || m.Actor.Attributes["image"] != "nginx:1.27" || m.Actor.Attributes["name"] != "web") {
			t.Errorf("%s: attributes %v", m.Action, m.Actor.Attributes)
		}
	}
	want := []string{
		"image pull", "volume create", "container create", "volume mount", "network connect", "container start",
		"container kill", "network disconnect", "volume unmount", "container die", "container stop", "container destroy",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	past, l2 := e.SubscribeToEvents(time.Unix(0, 0), time.Now(), filters.NewArgs(filters.Arg("event", "die"), filters.Arg("container", "web")))
	e.UnsubscribeFromEvents(l2)
	if len(past) != 1 || past[0].Actor.Attributes["exitCode"] != "0" {
		t.Errorf("past events: %v", past)
	}
}

func TestRestartPolicies(t *testing.T) {
	e := start(t, config("m1"))
	policy := func(name containertypes.RestartPolicyMode, max int) containertypes.HostConfig {
		return containertypes.HostConfig{RestartPolicy: containertypes.RestartPolicy{Name: name, MaximumRetryCount: max}}
	}
	fails := containertypes.Config{Image: "busybox", Cmd: []string{"false"}}
	run(t, e, "limited", fails, policy("on-failure", 2))
	until(t, e, "limited", func(c *container) bool { return !c.State.Running && c.exits == 3 })
	if c := inspect(t, e, "limited"); c.RestartCount != 2 || c.State.ExitCode != 1 || c.State.Status != "exited" {
		t.Errorf("limited: restarted %d times, %s %d", c.RestartCount, c.State.Status, c.State.ExitCode)
	}
	run(t, e, "ends", containertypes.Config{Image: "busybox", Cmd: []string{"true"}}, policy("on-failure", 0))
	wait(t, e, "ends", containertypes.WaitConditionNotRunning)
	if c := inspect(t, e, "ends"); c.RestartCount != 0 {
		t.Errorf("one that ended well was restarted %d times", c.RestartCount)
	}
	run(t, e, "again", fails, policy("always", 0))
	until(t, e, "again", func(c *container) bool { return c.RestartCount == 3 && c.State.Restarting })
	if word := inspect(t, e, "again").State.Status; word != "restarting" {
		t.Errorf("again: %s", word)
	}
	if err := e.ContainerStop(t.Context(), "again", containertypes.StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if c := inspect(t, e, "again"); c.State.Running || c.State.Status != "exited" {
		t.Errorf("stopped between two runs: %+v", c.State)
	}
	id := run(t, e, "temp", containertypes.Config{Image: "busybox", Cmd: []string{"sh", "-c", "sleep 0.1; exit 7"}}, containertypes.HostConfig{AutoRemove: true})
	if code := wait(t, e, id, containertypes.WaitConditionRemoved); code != 7 {
		t.Errorf("temp: %d", code)
	}
	if _, err := e.ContainerInspect(t.Context(), id, backend.ContainerInspectOptions{}); err == nil {
		t.Error("--rm left the container")
	}
}

func TestHealth(t *testing.T) {
	e := start(t, config("m1"))
	sick := containertypes.Config{Healthcheck: &containertypes.HealthConfig{Test: []string{"CMD", "x"}, Interval: 5 * time.Millisecond, Retries: 2}}
	run(t, e, "web", sick, containertypes.HostConfig{})
	is := func(status containertypes.HealthStatus) func(*container) bool {
		return func(c *container) bool { return c.State.Health != nil && c.State.Health.Status == status }
	}
	if inspect(t, e, "web").State.Health == nil {
		t.Fatal("no health")
	}
	until(t, e, "web", is(containertypes.Healthy))
	e.Fault(Fault{Container: "web", Unhealthy: true})
	until(t, e, "web", is(containertypes.Unhealthy))
	if streak := inspect(t, e, "web").State.Health.FailingStreak; streak < 2 {
		t.Errorf("failed %d times", streak)
	}
	e.Clear(Fault{Container: "web"})
	until(t, e, "web", is(containertypes.Healthy))
}

func TestFaults(t *testing.T) {
	e := start(t, config("m1"))
	three := 3
	run(t, e, "aa", containertypes.Config{}, containertypes.HostConfig{})
	run(t, e, "bb", containertypes.Config{Labels: map[string]string{"lab.oom": "", "lab.exit-after": "10ms", "lab.log": "one\ntwo"}}, containertypes.HostConfig{})
	if code := wait(t, e, "bb", containertypes.WaitConditionNotRunning); code != 137 || !inspect(t, e, "bb").State.OOMKilled {
		t.Errorf("lab.oom: %d", code)
	}
	e.Fault(Fault{Image: "nginx", Exit: &three})
	if code := wait(t, e, "aa", containertypes.WaitConditionNotRunning); code != 3 {
		t.Errorf("a fault of the image: %d", code)
	}
	e.Clear(Fault{})
	logs, _, err := e.ContainerLogs(t.Context(), "bb", &containertypes.LogsOptions{ShowStdout: true, Tail: "2"})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for m := range logs {
		lines = append(lines, strings.TrimSpace(string(m.Line)))
	}
	if !slices.Equal(lines, []string{"one", "two"}) {
		t.Errorf("lab.log: %q", lines)
	}
	for pull, want := range map[string]string{
		"missing":      "manifest for nginx:9 not found: manifest unknown",
		"unauthorized": "unauthorized: authentication required",
		"unreachable":  "no such host",
	} {
		e.Fault(Fault{Image: "nginx:9", Pull: pull})
		if err := e.pull(t.Context(), mustRef("nginx:9"), "", nil, discard{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pull, err)
		}
		e.Clear(Fault{Image: "nginx:9"})
	}
	if err := e.pull(t.Context(), mustRef("nginx:9"), "", nil, discard{}); err != nil {
		t.Error(err)
	}
}

// TestLogsFollow reads a log until the container ends.
func TestLogsFollow(t *testing.T) {
	e := start(t, config("m1"))
	run(t, e, "web", containertypes.Config{Image: "busybox", Cmd: []string{"sh", "-c", "echo hello; echo oops >&2; sleep 0.05"}}, containertypes.HostConfig{})
	logs, _, err := e.ContainerLogs(context.Background(), "web", &containertypes.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for m := range logs {
		got = append(got, m.Source+": "+strings.TrimSpace(string(m.Line)))
	}
	if want := []string{"stdout: hello", "stderr: oops"}; !slices.Equal(got, want) {
		t.Errorf("log %q, want %q", got, want)
	}
}

// TestImport makes an image of a tar archive, with a Dockerfile's instructions.
func TestImport(t *testing.T) {
	s := serve(t, config("m1"))
	c := s.client()
	r, err := c.ImageImport(t.Context(), imagetypes.ImportSource{Source: strings.NewReader(strings.Repeat("\x00", 1024)), SourceName: "-"}, "my/app:2",
		imagetypes.ImportOptions{Changes: []string{`ENTRYPOINT ["/web"]`, "ENV A=1 B=2", "EXPOSE 80 81/udp", "LABEL x=y", `HEALTHCHECK --interval=3s CMD /web ok`}})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	img, err := c.ImageInspect(t.Context(), "my/app:2")
	if err != nil {
		t.Fatal(err)
	}
	// The digest of 1024 zero bytes is the one that Docker gives the empty layer.
	if l := img.RootFS.Layers; len(l) != 1 || l[0] != "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef" {
		t.Errorf("layers %v", l)
	}
	config := img.Config
	if !slices.Equal(config.Entrypoint, []string{"/web"}) || !slices.Equal(config.Env, []string{"A=1", "B=2"}) || len(config.ExposedPorts) != 2 ||
		config.Labels["x"] != "y" || config.Healthcheck == nil || config.Healthcheck.Interval != 3*time.Second {
		t.Errorf("config %+v", config)
	}
	if _, err := c.ImageInspect(t.Context(), img.ID[7:19]); err != nil {
		t.Error(err)
	}
}
