package swarm_test

import (
	"errors"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

func TestRealNetwork(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		k := swarm.NetworkKind
		w.create(k, "plain", args{"name": "plain"})
		if o := w.find(k, "plain"); o.Out["subnet"] == "" || o.Out["id"] != o.ID || o.Created.IsZero() {
			t.Errorf("the outputs are %v", o.Out)
		}
		w.wantDiff(k, "plain", args{"name": "plain", "attachable": true, "internal": true, "encrypted": true, "ipv6": true, "scope": "global",
			"driver": "bridge", "labels": map[string]string{"tier": "web"}, "options": map[string]string{"com.docker.network.driver.mtu": "1400"},
			"subnets": []string{"10.99.0.0/24"}},
			"!attachable", "!internal", "!encrypted", "!ipv6", "!scope", "!driver", `!labels["tier"]`, `!options["com.docker.network.driver.mtu"]`, "!subnets")
		w.wantDiff(k, "plain", args{"name": "plain", "ipam_driver": "other", "ipam_options": map[string]string{"a": "b"}}, "!ipam_driver", `!ipam_options["a"]`)

		full := args{
			"name": "full", "attachable": true, "internal": true, "encrypted": true, "driver": "overlay", "ipam_driver": "default",
			"labels":  map[string]string{"tier": "web", "empty": ""},
			"options": map[string]string{"com.docker.network.driver.mtu": "1400"},
			"subnets": []args{
				{"cidr": "10.98.1.0/24", "gateway": "10.98.1.254"},
				{"cidr": "10.98.0.0/24", "ip_range": "10.98.0.128/25", "gateway": "10.98.0.1"},
			},
		}
		w.create(k, "full", full)
		w.wantDiff(k, "full", full.With(args{"subnets": []string{"10.98.0.0/24", "10.98.1.0/24"}}))
		w.wantDiff(k, "full", full.With(args{"subnets": []string{"10.98.0.0/24"}}), "!subnets")
		w.wantDiff(k, "full", full.With(args{"encrypted": nil}), "!encrypted")
		w.wantDiff(k, "full", full.With(args{"encrypted": nil, "options": map[string]string{"encrypted": ""}}), `!options["com.docker.network.driver.mtu"]`)
		w.wantDiff(k, "full", full.With(args{"labels": map[string]string{"tier": "db"}}), `!labels["tier"]`, `!labels["empty"]`)

		if _, err := k.Handler.Create(t.Context(), w.sw, w.request(k, "full", w.check(k, full))); !errors.Is(err, resource.ErrExists) {
			t.Errorf("a second one of a name gives %v", err)
		}

		// Somebody replaces it by hand.
		w.e.Docker("network", "rm", "full")
		w.e.Docker("network", "create", "--driver", "overlay", "--subnet", "10.98.0.0/24", "full")
		if m := w.find(k, "full").Mark; m.Project != "" {
			t.Errorf("it has the mark %+v", m)
		}
		w.wantDiff(k, "full", full, "!attachable", "!internal", "!encrypted", `!labels["tier"]`, `!labels["empty"]`,
			`!options["com.docker.network.driver.mtu"]`, "!subnets")
		w.delete(k, "full")
		w.create(k, "full", full)
		w.delete(k, "full")
		w.delete(k, "plain")

		// Engine 28 accepts IPv6 subnets for an overlay and never allocates them.
		six := args{"name": "six", "ipv6": true, "subnets": []args{{"cidr": "10.97.0.0/24"}, {"cidr": "fd00:97::/64", "gateway": "fd00:97::1"}}}
		if !w.api("1.48") {
			w.create(k, "six", six)
			w.delete(k, "six")
			return
		}
		r := w.request(k, "six", w.check(k, six))
		o, err := k.Handler.Create(t.Context(), w.sw, r)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, k.Handler.(resource.Settler).Settle(t.Context(), w.sw, r, o), "no addresses", "IPv6")
		if o := w.find(k, "six"); o.Unsettled == "" {
			t.Error("a network without addresses is called settled")
		}
		w.delete(k, "six")
	})
}

// The routing mesh can be replaced; the one that every swarm begins with
// belongs to the system until it is declared.
func TestRealIngress(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		k := swarm.NetworkKind
		old := w.find(k, "ingress")
		if old == nil || !old.Unlisted {
			t.Fatalf("the swarm's own ingress is %+v", old)
		}
		a := args{"name": "mesh", "ingress": true, "subnets": []string{"10.96.0.0/24"}}
		_, err := k.Handler.Create(t.Context(), w.sw, w.request(k, "mesh", w.check(k, a)))
		if !errors.Is(err, resource.ErrExists) {
			t.Errorf("a second ingress gives %v", err)
		}
		w.delete(k, "ingress")
		w.create(k, "mesh", a)
		w.wantDiff(k, "mesh", a.With(args{"ingress": nil}), "!ingress")
		if o := w.find(k, "mesh"); o.Unlisted {
			t.Error("our own ingress is unlisted")
		}
	})
}

// A network with config_from carries no labels: its mark is in the ledger.
func TestRealConfigFrom(t *testing.T) {
	onEngines(t, func(w *world) {
		w.inSwarm()
		cfg := args{"name": "lan", "config_only": true, "subnets": []args{{"cidr": "10.95.0.0/24", "gateway": "10.95.0.1", "aux_address": map[string]string{"printer": "10.95.0.9"}}},
			"labels": map[string]string{"where": "here"}}
		w.create(swarm.LocalNetworkKind, "lan", cfg)
		w.wantDiff(swarm.LocalNetworkKind, "lan", cfg.With(args{"config_only": nil}), "!config_only", "!driver")
		from := args{"name": "onlan", "driver": "macvlan", "config_from": "lan", "attachable": true}
		w.create(swarm.NetworkKind, "onlan", from)
		w.wantDiff(swarm.NetworkKind, "onlan", from.With(args{"config_from": "lan2"}), "!config_from")
		w.delete(swarm.NetworkKind, "onlan")
		w.delete(swarm.LocalNetworkKind, "lan")
	})
}

func TestRealLocalNetwork(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		k := swarm.LocalNetworkKind
		for _, o := range w.observe(w.eng).Objects {
			if !o.Unlisted {
				t.Errorf("a fresh engine has the %s %s", o.Kind, o.Name)
			}
		}
		w.create(k, "plain", args{"name": "plain"})
		full := args{
			"name": "full", "driver": "bridge", "attachable": true, "internal": true, "ipv6": true, "scope": "local", "ipam_driver": "default",
			"ipam_options": map[string]string{"foo": "bar"},
			"labels":       map[string]string{"tier": "web"},
			"options":      map[string]string{"com.docker.network.bridge.name": "brfull", "com.docker.network.driver.mtu": "1400"},
			"subnets": []args{
				{"cidr": "10.94.0.0/24", "gateway": "10.94.0.254", "ip_range": "10.94.0.128/25", "aux_address": map[string]string{"printer": "10.94.0.9"}},
				{"cidr": "fd00:94::/64", "gateway": "fd00:94::1"},
			},
		}
		w.create(k, "full", full)
		w.wantDiff(k, "full", full.With(args{"ipam_options": nil, "options": nil, "internal": nil, "ipv6": nil}),
			`!ipam_options["foo"]`, `!options["com.docker.network.bridge.name"]`, `!options["com.docker.network.driver.mtu"]`, "!internal", "!ipv6")
		w.wantDiff(k, "full", full.With(args{"subnets": []args{{"cidr": "10.94.0.0/24", "aux_address": map[string]string{"printer": "10.94.0.10"}}, {"cidr": "fd00:94::/64"}}}), "!subnets")
		if w.api("1.48") {
			four := args{"name": "four", "ipv4": false, "ipv6": true, "subnets": []string{"fd00:93::/64"}}
			w.create(k, "four", four)
			w.wantDiff(k, "four", four.With(args{"ipv4": true}), "!ipv4")
		}
		w.e.Docker("network", "rm", "full")
		w.e.Docker("network", "create", "--subnet", "10.94.0.0/24", "full")
		w.wantDiff(k, "full", full.With(args{"ipam_options": nil, "options": nil, "labels": nil}), "!attachable", "!internal", "!ipv6", "!subnets")
		w.delete(k, "full")
		w.delete(k, "plain")
	})
}

// A network goes when its tasks have gone, which is after docker says that
// the service is.
func TestRealNetworkBusy(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		testengine.Images(w.e)
		k := swarm.NetworkKind
		w.create(k, "back", args{"name": "back"})
		w.e.Docker("service", "create", "--quiet", "--name", "web", "--network", "back", "--stop-grace-period", "2s", testengine.Sleep)
		r := w.request(k, "back", w.check(k, args{"name": "back"}))
		r.Live = w.find(k, "back")
		contains(t, k.Handler.Delete(t.Context(), w.sw, r), "in use by service")
		w.e.Docker("service", "rm", "web")
		w.delete(k, "back")
	})
}
