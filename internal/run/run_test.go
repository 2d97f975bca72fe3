package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

const first = `
project("shop", env = "test")
cluster = swarm.init(engine(), advertise_addr = var("addr"))
net = network("backend", driver = "overlay", labels = {"tier": "back"})
pw = secret("db_password", generate = 32)
conf = config("motd", content = "hello " + cluster.id)
web = service("web", image = "swarmtest/web:1", replicas = 2, networks = [net], secrets = [pw], configs = [conf],
              env = {"PORT": "8080"}, labels = {"a": "1"}, no_resolve_image = True,
              update = update_policy(monitor = "100ms"))
output("network", net.id)
`

func write(t testing.TB, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "cluster.star")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func planOf(t *testing.T, opts Options) *Planned {
	t.Helper()
	p, err := Plan(context.Background(), opts)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func show(p *plan.Plan) string {
	s := ""
	for _, c := range p.Changes {
		s += fmt.Sprintf("  %-3s %s %s %s\n", c.Action.Sign(), c.Address, c.Reason, c.Effect)
		for _, f := range c.Fields {
			s += fmt.Sprintf("        %s: %s -> %s\n", f.Path, f.Type.Format(f.Before), f.Type.Format(f.After))
		}
	}
	return s
}

func applyAll(t *testing.T, opts Options) *apply.Result {
	t.Helper()
	p := planOf(t, opts)
	t.Logf("%s\n%s", p.Observed, show(p.Plan))
	res, err := p.Apply(context.Background(), ApplyOptions{Why: "test", Sink: func(e apply.Event) {
		t.Logf("%s %s %d/%d %s %v %v", e.Type, e.Address, e.Done, e.Total, e.Text, e.Err, e.Elapsed)
	}})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if code := res.ExitCode(); code != 0 {
		for _, s := range res.Steps {
			if s.Err != nil {
				t.Errorf("%s: %v", s.Change.Address, s.Err)
			}
		}
		t.Fatalf("apply ended with %d", code)
	}
	return res
}

func TestOneEngine(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	testengine.Images(e)
	t.Setenv("DOCKER_HOST", e.Host)
	dir := t.TempDir()
	t.Cleanup(func() { out, _ := e.TryDocker("service", "ps", "--no-trunc", "web"); t.Log(out) })
	opts := Options{Timeout: 3 * time.Minute, File: write(t, dir, first), Vars: []string{"addr=" + e.Addr}}
	applyAll(t, opts)
	p := planOf(t, opts)
	if !p.Plan.Empty() {
		t.Fatalf("the plan is not empty:\n%s", show(p.Plan))
	}
}
