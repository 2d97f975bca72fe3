package swarm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A volume of one engine: all its arguments, and what is made of it by hand.
func TestRealVolume(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		k := swarm.LocalVolumeKind
		if o := w.create(k, "plain", args{"name": "plain"}); o.Out["name"] != "plain" || o.Out["driver"] != "local" ||
			!strings.HasSuffix(o.Out["mountpoint"].(string), "/plain/_data") || o.Out["id"] != o.ID || o.Created.IsZero() {
			t.Errorf("the outputs are %v", o.Out)
		}
		w.wantDiff(k, "plain", args{"name": "plain", "driver": "local", "labels": map[string]string{"tier": "web"}, "options": map[string]string{"size": "1m"}},
			`!labels["tier"]`, `!options["size"]`)
		w.wantDiff(k, "plain", args{"name": "plain", "driver": "nfs"}, "!driver")

		full := args{"name": "full", "labels": map[string]string{"tier": "web", "empty": ""},
			"options": map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}
		made := w.create(k, "full", full)
		w.wantDiff(k, "full", full.With(args{"options": nil}), `!options["type"]`, `!options["device"]`, `!options["o"]`)
		w.wantDiff(k, "full", full.With(args{"labels": map[string]string{"tier": "db"}}), `!labels["tier"]`, `!labels["empty"]`)
		w.e.Restart()
		if o := w.find(k, "full"); o.ID != made.ID {
			t.Errorf("after a restart its ID is %s, it was %s", o.ID, made.ID)
		}

		// A second one of the name is the first one: whose it is, its labels tell.
		r := w.request(k, "full", w.check(k, full))
		if _, err := k.Handler.Create(t.Context(), w.eng, r); err != nil {
			t.Errorf("made once more with the same mark: %v", err)
		}
		w.e.Docker("volume", "create", "taken", "--label", "theirs=1")
		taken := args{"name": "taken"}
		if _, err := k.Handler.Create(t.Context(), w.eng, w.request(k, "taken", w.check(k, taken))); !errors.Is(err, resource.ErrExists) {
			t.Errorf("a stranger's volume of the name gives %v", err)
		}
		if o := w.find(k, "taken"); o.Mark.Project != "" || o.Args == nil {
			t.Errorf("it is %+v", o)
		}

		// Somebody replaces it by hand.
		w.e.Docker("volume", "rm", "full")
		w.e.Docker("volume", "create", "full", "--label", "tier=x")
		if o := w.find(k, "full"); o.Mark.Project != "" {
			t.Errorf("it has the mark %+v", o.Mark)
		}
		w.wantDiff(k, "full", full, `!labels["tier"]`, `!labels["empty"]`, `!options["type"]`, `!options["device"]`, `!options["o"]`)
		w.delete(k, "full")
		w.create(k, "full", full)
		w.delete(k, "full")
		w.delete(k, "plain")
	})
}

// A volume that a container holds cannot be removed; the deletion waits for
// what is going.
func TestRealVolumeBusy(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		testengine.Images(w.e)
		k := swarm.LocalVolumeKind
		w.create(k, "busy", args{"name": "busy"})
		w.e.Docker("create", "--name", "holder", "--volume", "busy:/data", testengine.Sleep)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		r := w.request(k, "busy", w.check(k, args{"name": "busy"}))
		r.Args, r.Live = nil, w.find(k, "busy")
		waited := make(chan string, 100)
		r.Progress = func(p resource.Progress) { waited <- p.Text }
		if err := k.Handler.Delete(ctx, w.eng, r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a volume in use: %v", err)
		}
		done := make(chan error)
		go func() { done <- k.Handler.Delete(t.Context(), w.eng, r) }()
		if text := <-waited; text != "waiting for its containers to go" {
			t.Errorf("it says %q", text)
		}
		w.e.Docker("rm", "holder")
		if err := <-done; err != nil {
			t.Error(err)
		}
		if w.find(k, "busy") != nil {
			t.Error("it is still there")
		}
	})
}

// A volume of a swarm, as far as it can be proved without a CSI plugin:
// SwarmKit takes the spec and waits for one.
func TestRealClusterVolume(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		k := swarm.VolumeKind
		if !w.api("1.42") {
			_, err := k.Handler.Create(t.Context(), w.sw, w.request(k, "old", w.check(k, args{"name": "old", "driver": "csi"})))
			contains(t, err, "csi")
			return
		}
		plain := args{"name": "plain", "driver": "csi"}
		if o := w.create(k, "plain", plain); o.Out["id"] != o.ID || o.Out["driver"] != "csi" || o.Unsettled == "" || o.Created.IsZero() {
			t.Errorf("it is %+v", o)
		}
		if got := w.find(swarm.LocalVolumeKind, "plain"); got != nil {
			t.Errorf("the engine has it too: %+v", got)
		}
		w.wantDiff(k, "plain", args{"name": "plain", "driver": "other", "type": "mount", "scope": "multi", "sharing": "all", "group": "g", "availability": "pause",
			"limit_bytes": "2g", "required_bytes": "1g", "topology_required": []args{{"zone": "a"}}, "topology_preferred": []args{{"zone": "a"}},
			"labels": map[string]string{"tier": "db"}, "options": map[string]string{"a": "b"}},
			"!driver", "!type", "!scope", "!sharing", "!group", "availability", "!limit_bytes", "!required_bytes", "!topology_required", "!topology_preferred",
			`!labels["tier"]`, `!options["a"]`)

		w.e.DockerInput("x", "secret", "create", "key", "-")
		full := args{"name": "full", "driver": "csi", "type": "mount", "scope": "multi", "sharing": "onewriter", "group": "fast", "availability": "pause",
			"limit_bytes": "2g", "required_bytes": "1g", "secrets": map[string]string{"token": "key"},
			"topology_required": []args{{"zone": "a", "rack": "1"}, {"zone": "b"}}, "topology_preferred": []args{{"zone": "b"}},
			"labels": map[string]string{"tier": "db"}, "options": map[string]string{"fast": "yes"}}
		o := w.create(k, "full", full)
		if len(o.Uses) != 1 {
			t.Errorf("it uses %v", o.Uses)
		}
		w.wantDiff(k, "full", full.With(args{"secrets": nil}), `!secrets["token"]`)
		w.wantDiff(k, "full", full.With(args{"secrets": map[string]string{"token": "other"}}), `!secrets["token"]`)
		r := w.request(k, "none", w.check(k, args{"name": "none", "driver": "csi", "secrets": map[string]string{"token": "not-there"}}))
		_, err := k.Handler.Create(t.Context(), w.sw, r)
		contains(t, err, `not-there`)

		// The availability is what can change; by hand it drifts.
		for _, a := range []string{"active", "drain", "pause"} {
			w.update(k, "full", full.With(args{"availability": a}))
		}
		w.e.Docker("volume", "update", "--availability", "drain", "full")
		w.wantDiff(k, "full", full, "availability")
		w.update(k, "full", full)

		if _, err := k.Handler.Create(t.Context(), w.sw, w.request(k, "full", w.check(k, full))); !errors.Is(err, resource.ErrExists) {
			t.Errorf("a second one of a name gives %v", err)
		}
		r = w.request(k, "plain", w.check(k, plain))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		contains(t, k.Handler.(resource.Settler).Settle(ctx, w.sw, r, w.find(k, "plain")), `plugin "csi" has not made it`)

		w.delete(k, "full")
	})
}

// A volume of a swarm and one of the engine may have one name.
func TestRealVolumesOfOneName(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		k := swarm.VolumeKind
		if !w.api("1.42") {
			return // there are none of a swarm
		}
		w.create(k, "plain", args{"name": "plain", "driver": "csi"})
		w.create(swarm.LocalVolumeKind, "plain", args{"name": "plain"})
		w.delete(k, "plain")
		if w.find(swarm.LocalVolumeKind, "plain") == nil {
			t.Error("the engine's own volume went with it")
		}
	})
}
