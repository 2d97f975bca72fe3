package swarm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestRealSwarm(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		k := swarm.SwarmKind
		if w.find(k, "") != nil {
			t.Fatal("an engine outside a swarm has one")
		}
		first := args{
			"advertise_addr": w.e.Addr, "listen_addr": w.e.Addr + ":2377", "data_path_addr": w.e.Addr, "data_path_port": 4790,
			"default_addr_pool": []string{"10.20.0.0/16", "10.30.0.0/16"}, "default_addr_pool_mask_length": 26,
			"availability": "active", "cert_expiry": "100h", "dispatcher_heartbeat": "7s",
			"max_snapshots": 2, "snapshot_interval": 9000, "task_history_limit": 3,
		}
		w.create(k, "main", first)
		if _, err := k.Handler.Create(t.Context(), w.eng, w.request(k, "main", w.check(k, first))); !errors.Is(err, resource.ErrExists) {
			t.Errorf("a second swarm gives %v", err)
		}
		o := w.find(k, "")
		for name, prefix := range map[string]string{"worker_token": "SWMTKN-1-", "manager_token": "SWMTKN-1-"} {
			s, ok := o.Out[name].(value.Secret)
			if text, _ := s.V.(string); !ok || !strings.HasPrefix(text, prefix) {
				t.Errorf("the output %s is %v", name, o.Out[name])
			}
		}
		if got := o.Out["manager_addr"]; got != w.e.Addr+":2377" {
			t.Errorf("the manager's address is %v", got)
		}

		// What init alone can say forces a replacement.
		w.wantDiff(k, "", first.With(args{
			"advertise_addr": "eth9", "listen_addr": "0.0.0.0:2377", "data_path_addr": "eth9", "data_path_port": 4791,
			"default_addr_pool": []string{"10.40.0.0/16"}, "default_addr_pool_mask_length": 25,
		}), "!advertise_addr", "!listen_addr", "!data_path_addr", "!data_path_port", "!default_addr_pool", "!default_addr_pool_mask_length")

		// What update can say is changed in place.
		next := first.With(args{
			"availability": "drain", "cert_expiry": "200h", "dispatcher_heartbeat": "8s", "max_snapshots": 3, "snapshot_interval": 8000,
			"task_history_limit": 0, "autolock": true,
		})
		w.wantDiff(k, "", next, "availability", "cert_expiry", "dispatcher_heartbeat", "max_snapshots", "snapshot_interval", "task_history_limit", "autolock")
		w.update(k, "main", next)
		w.outputs = map[string]bool{"unlock_key": true}
		key, _ := w.find(k, "").Out["unlock_key"].(value.Secret)
		if got, want := key.V, w.e.Docker("swarm", "unlock-key", "--quiet"); got != want {
			t.Errorf("the unlock key is %v, want %v", got, want)
		}

		// Somebody changes it by hand.
		w.e.Docker("swarm", "update", "--autolock=false", "--cert-expiry", "300h", "--task-history-limit", "9", "--dispatcher-heartbeat", "9s",
			"--max-snapshots", "1", "--snapshot-interval", "7000")
		w.e.Docker("node", "update", "--availability", "active", w.e.Hostname)
		w.wantDiff(k, "", next, "availability", "cert_expiry", "dispatcher_heartbeat", "max_snapshots", "snapshot_interval", "task_history_limit", "autolock")
		w.update(k, "main", next)

		// Silence means docker's defaults, or leaves what has none.
		w.update(k, "main", args{})
		w.wantDiff(k, "", first, "cert_expiry", "dispatcher_heartbeat", "max_snapshots", "snapshot_interval", "task_history_limit", "availability")

		// Somebody writes in between.
		r := w.request(k, "main", w.check(k, first))
		r.Live = w.find(k, "")
		w.e.Docker("swarm", "update", "--task-history-limit", "9")
		if _, err := k.Handler.Update(t.Context(), w.eng, r); !errors.Is(err, resource.ErrConflict) {
			t.Errorf("a write in between gives %v", err)
		}

		w.delete2(k)
	})
}

// delete2 deletes a kind of which there is one.
func (w *world) delete2(k *resource.Kind) {
	w.t.Helper()
	r := w.request(k, "main", make(value.Struct, len(k.Schema.Fields())))
	r.Live = w.find(k, "")
	for range 2 {
		if err := k.Handler.Delete(w.t.Context(), w.eng, r); err != nil {
			w.t.Fatal(err)
		}
	}
	if w.find(k, "") != nil {
		w.t.Error("the swarm is still there")
	}
}

// A token is made anew when its text changes, and else never.
func TestRealSwarmTokens(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		k := swarm.SwarmKind
		tokens := func() [2]string {
			return [2]string{w.e.Docker("swarm", "join-token", "--quiet", "manager"), w.e.Docker("swarm", "join-token", "--quiet", "worker")}
		}
		base := args{"advertise_addr": w.e.Addr}
		w.create(k, "main", base.With(args{"rotate_worker_token": "2026-11"}))
		was := tokens()
		for _, tt := range []struct {
			worker, manager any
			differs         []string
		}{
			{"2026-11", nil, nil},
			{"2026-12", nil, []string{"rotate_worker_token"}},
			{nil, nil, nil}, // what is not said is left as it is
			{"2026-12", nil, nil},
			{"2026-12", "a", []string{"rotate_manager_token"}},
			{"2027-01", "b", []string{"rotate_manager_token", "rotate_worker_token"}},
		} {
			a := base.With(args{"rotate_worker_token": tt.worker, "rotate_manager_token": tt.manager})
			w.wantDiff(k, "", a, tt.differs...)
			w.update(k, "main", a)
			now := tokens()
			var renewed []string
			for i, name := range []string{"rotate_manager_token", "rotate_worker_token"} {
				if now[i] != was[i] {
					renewed = append(renewed, name)
				}
			}
			if !slices.Equal(renewed, tt.differs) {
				t.Errorf("with %v and %v: new is what %q is for, want %q", tt.worker, tt.manager, renewed, tt.differs)
			}
			was = now
		}
	})
}

// A swarm that somebody else made is adopted by its mark alone; its address
// is what the engine says.
func TestRealSwarmAdopted(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		k := swarm.SwarmKind
		w.e.Docker("swarm", "init", "--advertise-addr", w.e.Addr)
		if m := w.find(k, "").Mark; m.Project != "" {
			t.Errorf("it has the mark %+v", m)
		}
		a := args{"advertise_addr": w.e.Addr, "listen_addr": "0.0.0.0:2377", "data_path_port": 4789, "default_addr_pool_mask_length": 24, "default_addr_pool": []string{"10.0.0.0/8"}}
		w.wantDiff(k, "", a)
		w.update(k, "main", a)
		w.wantDiff(k, "", a.With(args{"advertise_addr": "eth7"}), "!advertise_addr")
	})
}

func TestRealSwarmExternalCA(t *testing.T) {
	onEngines(t, func(w *world) {
		k := swarm.SwarmKind
		a := args{"advertise_addr": w.e.Addr}
		w.create(k, "main", a)
		with := a.With(args{"external_ca": []args{{"url": "https://127.0.0.1:1/sign", "options": map[string]string{"a": "b"}}}})
		w.wantDiff(k, "", with, "external_ca")
		w.update(k, "main", with)
		w.wantDiff(k, "", a, "external_ca")
		w.e.Docker("swarm", "update", "--external-ca", "protocol=cfssl,url=https://127.0.0.1:2/sign")
		w.wantDiff(k, "", with, "external_ca")
		w.update(k, "main", a)
	})
}
