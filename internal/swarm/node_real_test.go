package swarm_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestRealNode(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		k, name := swarm.NodeKind, w.e.Hostname
		w.e.Docker("node", "update", "--label-add", "theirs=1", "--label-add", "rack=z", name)
		labels := func(want map[string]string) {
			t.Helper()
			got := map[string]string{}
			m, _ := w.find(k, name).Args[4].(*value.Map)
			for _, e := range m.Entries {
				got[e.Key] = e.Value.(string)
			}
			if !maps.Equal(got, want) {
				t.Errorf("the labels are %v, want %v", got, want)
			}
		}

		// Every argument given, changed, removed.
		first := args{"name": name, "availability": "active", "role": "manager", "labels": map[string]string{"tier": "web", "rack": "a"}}
		w.wantDiff(k, name, first, `labels["tier"]`, `labels["rack"]`)
		w.update(k, name, first)
		labels(map[string]string{"tier": "web", "rack": "a", "theirs": "1"})
		next := first.With(args{"availability": "pause", "labels": map[string]string{"tier": "db"}})
		w.wantDiff(k, name, next, "availability", `labels["tier"]`, `labels["rack"]`)
		w.update(k, name, next)
		labels(map[string]string{"tier": "db", "theirs": "1"})
		w.wantDiff(k, name, args{"name": name}, `labels["tier"]`)
		w.update(k, name, args{"name": name})
		labels(map[string]string{"theirs": "1"})
		w.wantDiff(k, name, next, `labels["tier"]`) // what is left out is left as it is

		// Somebody changes it by hand; and is not changed back where nothing is said.
		w.update(k, name, next)
		w.e.Docker("node", "update", "--availability", "active", "--label-rm", "tier", "--label-add", "theirs=2", name)
		w.wantDiff(k, name, next, "availability", `labels["tier"]`)
		w.update(k, name, next)
		labels(map[string]string{"tier": "db", "theirs": "2"})
		w.e.Docker("node", "update", "--availability", "active", name)
		w.wantDiff(k, name, args{"name": name, "labels": map[string]string{"tier": "db"}})

		// Somebody writes in between.
		r := w.request(k, name, w.check(k, next))
		r.Live = w.find(k, name)
		w.e.Docker("node", "update", "--label-add", "theirs=3", name)
		if _, err := k.Handler.Update(t.Context(), w.sw, r); !errors.Is(err, resource.ErrConflict) {
			t.Errorf("a write in between gives %v", err)
		}

		// The only manager stays one.
		r = w.request(k, name, w.check(k, args{"name": name, "role": "worker"}))
		r.Live = w.find(k, name)
		var refusal *diag.Diagnostic
		if _, err := k.Handler.Update(t.Context(), w.sw, r); !errors.As(err, &refusal) {
			t.Errorf("to demote the only manager gives %v", err)
		} else {
			contains(t, errors.New(refusal.Summary+"\n"+refusal.Detail), "demoting "+name+" now would lose the quorum", "managers: "+name+" (leader)")
		}

		o := w.find(k, name)
		info := w.e.Docker("info", "--format", "{{.Swarm.NodeID}} {{.ServerVersion}} {{.OSType}}/{{.Architecture}}")
		if got := value.Text(o.Out["id"]) + " " + value.Text(o.Out["engine_version"]) + " " + value.Text(o.Out["platform"]); got != info {
			t.Errorf("the outputs are %s, want %s", got, info)
		}
		if o.Out["addr"] != w.e.Addr || o.Out["hostname"] != name || o.Out["role"] != "manager" || o.Out["availability"] != "active" {
			t.Errorf("the outputs are %v", o.Out)
		}

		// Released, it is as if it had never been declared.
		w.update(k, name, next)
		r = w.request(k, name, make(value.Struct, len(k.Schema.Fields())))
		r.Live = w.find(k, name)
		for range 2 {
			if err := k.Handler.Delete(t.Context(), w.sw, r); err != nil {
				t.Fatal(err)
			}
		}
		labels(map[string]string{"theirs": "3"})
		if m := w.find(k, name).Mark; m.Project != "" {
			t.Errorf("it has the mark %+v", m)
		}
	})
}
