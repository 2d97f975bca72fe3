package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
)

// TryImport imports, as the verb does.
func (f *fixture) TryImport(imports ...plan.Import) ([]Imported, error) {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	opts := f.opts
	opts.Imports = imports
	_, done, err := Import(ctx, opts, ApplyOptions{Why: "import"})
	return done, err
}

// An import writes a mark, and leaves the object's version as it was to the
// last argument; then it is ours.
func TestStoryImport(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Docker("service", "create", "--detach", "--no-resolve-image", "--replicas=1", "--name", "import_web", "--label", "theirs=1", "--limit-memory", "64m", "swarmtest/sleep:1")
		f.Docker("network", "create", "--driver=overlay", "import_net")
		f.Script(`
network("import_net", driver = "overlay")
service("import_main", image = "swarmtest/sleep:1", labels = {"theirs": "2", "ours": "3"}, replicas = 2)
`)
		spec := func() string {
			return f.Docker("service", "inspect", "import_web", "--format", "{{json .Spec.TaskTemplate}} {{json .Spec.Mode}} {{json .Spec.EndpointSpec}}")
		}
		before, id := spec(), f.Docker("service", "inspect", "import_web", "--format", "{{.ID}}")
		done, err := f.TryImport(plan.Import{Address: "service.import_main", Object: id[:12]}, plan.Import{Address: "network.import_net", Object: "import_net"})
		if err != nil || len(done) != 2 || done[0].Change.Live.ID != id {
			t.Fatalf("imported %v, %v", done, err)
		}
		if after := spec(); after != before {
			t.Errorf("the service was\n%s\nand is\n%s", before, after)
		}
		// It keeps its name, which the script does not give.
		f.PlanShows(`~ service.import_main: replicas labels["ours"] labels["theirs"] limit_memory`)
		f.Apply()
		f.PlanIsEmpty()
		f.Script(``)
		f.Repaired("- network.import_net (no longer declared)", "- service.import_main (no longer declared)")
	})
}

// An import says nothing about the rest of the project: a check that has not
// passed is still owed after it.
func TestStoryImportLeavesChecks(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Script(`
web = svc("owing_web", replicas = 0)
service("owing_old", image = "swarmtest/sleep:1", replicas = 0)
check_tcp("%s:1" % var("addr"), name = "owed", after = [web], timeout = "100ms")
`)
		f.ApplyEnds(apply.ExitNotConverged, "check_tcp.owed")
		for _, what := range []string{"ours already", "taken"} {
			if _, err := f.TryImport(plan.Import{Address: "service.owing_old", Object: "owing_old"}); err != nil {
				t.Fatal(err)
			}
			t.Log(what)
			f.PlanShows("<= check_tcp.owed (it has not passed yet)")
			f.Docker("service", "update", "--detach", "--label-rm=swarmscript.project", "--label-rm=swarmscript.address", "owing_old")
		}
	})
}

// One refusal refuses all: nothing is written.
func TestStoryImportRefused(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Docker("service", "create", "--detach", "--no-resolve-image", "--replicas=0", "--name", "refused_web", "swarmtest/sleep:1")
		f.Docker("network", "create", "refused_local")
		f.Script(`
service("refused_web", image = "swarmtest/sleep:1", replicas = 0)
service("refused_api", image = "swarmtest/sleep:1", replicas = 0)
network("refused_local", engine = engine(var("host"), name = "lab"))
`)
		_, err := f.TryImport(plan.Import{Address: "service.refused_web", Object: "refused_web"}, plan.Import{Address: "service.refused_api", Object: "refused_api"})
		if err == nil || !strings.Contains(err.Error(), `there is no service "refused_api" in swarm.main, by its ID or name (did you mean`) {
			t.Errorf("got %v", err)
		}
		_, err = f.TryImport(plan.Import{Address: "service.refused_web", Object: "refused_web"}, plan.Import{Address: "service.refused_api", Object: "refused_web"})
		if err == nil || !strings.Contains(err.Error(), `"refused_web" is taken for service.refused_web already`) {
			t.Errorf("got %v", err)
		}
		if _, err = f.TryImport(plan.Import{Address: "network.refused_local", Object: "refused_local"}); err != nil && !strings.Contains(err.Error(), "keeps no marks") {
			t.Errorf("got %v", err)
		}
		if labels := f.Docker("service", "inspect", "refused_web", "--format", "{{.Spec.Labels}}"); labels != "map[]" {
			t.Errorf("the labels are %s", labels)
		}
		f.Docker("service", "rm", "refused_web")
		f.Docker("network", "rm", "refused_local")
	})
}

// An import takes the lease, as an apply does.
func TestStoryImportWaitsItsTurn(t *testing.T) {
	onNewest(t, func(f *fixture) {
		f.Docker("service", "create", "--detach", "--no-resolve-image", "--replicas=0", "--name", "turn_web", "swarmtest/sleep:1")
		f.Script(`service("turn_web", image = "swarmtest/sleep:1", replicas = 0)`)
		p := f.Plan(func(o *Options) { o.AdoptAll = true })
		f.writeLease(p, time.Hour)
		im := plan.Import{Address: "service.turn_web", Object: "turn_web"}
		var held *apply.HeldLease
		if _, err := f.TryImport(im); !errors.As(err, &held) || apply.ExitCodeOf(err, apply.ExitError) != apply.ExitStale {
			t.Errorf("got %v", err)
		}
		f.opts.LockTimeout = 3 * time.Minute
		f.writeLease(f.Plan(func(o *Options) { o.AdoptAll = true }), 2*time.Second)
		if _, err := f.TryImport(im); err != nil {
			t.Error(err)
		}
		f.PlanIsEmpty()
		f.Script(``)
		f.Repaired("- service.turn_web (no longer declared)")
	})
}
