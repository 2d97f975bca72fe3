package swarm

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestLedgerName(t *testing.T) {
	for project, want := range map[string]string{
		"shop":                  "swarmscript.shop",
		"shop/staging":          "swarmscript.shop.staging",
		"a-b_c/d-e":             "swarmscript.a-b_c.d-e",
		"shop.staging":          "swarmscript.shop_staging..",
		"shop staging":          "swarmscript.shop_staging..",
		"shop/-":                "swarmscript.shop_-..",
		"a/b/c":                 "swarmscript.a_b_c..",
		"läden":                 "swarmscript.l_den..",
		strings.Repeat("x", 80): "swarmscript.xxxxx",
	} {
		got := ledgerName(project)
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(want, "..") && len(project) < 60 && got != want {
			t.Errorf("%q is kept in %q, want %q", project, got, want)
		}
	}
}

// Every project has a name that the engine takes, and no two have the same.
func FuzzLedgerName(f *testing.F) {
	f.Add("shop/staging", "shop.staging")
	f.Add("a/b", "a_b")
	f.Add(strings.Repeat("x", 70), strings.Repeat("x", 71))
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := ledgerName(a), ledgerName(b)
		if len(x) > maxName || a != "" && !objectName().MatchString(x) {
			t.Errorf("%q is kept in %q", a, x)
		}
		if a != b && x == y {
			t.Errorf("%q and %q are both kept in %q", a, b, x)
		}
	})
}

func TestLedgerRoundTrip(t *testing.T) {
	check := func(scopes []resource.ScopeEntry, ids []string, keys []string, n uint8) bool {
		l := resource.Ledger{HashKey: bytes.Repeat([]byte{n}, keySize)}
		for range n % 8 {
			l.Scopes = append(l.Scopes, scopes...)
		}
		if len(ids) > 0 {
			l.Unpassed = ids
		}
		for i, id := range ids {
			if l.Marks == nil {
				l.Marks = map[string]resource.Mark{}
			}
			m := resource.Mark{Project: "p", Address: value.Address(id), Hash: id, Triggers: id}
			if i%2 == 1 {
				m.Project = "q"
			}
			if len(keys) > 0 {
				m.Keys = keys
			}
			l.Marks[id] = m
		}
		c := swarm.Config{Spec: swarm.ConfigSpec{Data: l.HashKey}}
		c.Spec.Labels = encodeLedger(map[string]string{labelLease: "kept"}, "p", l)
		if c.Spec.Labels[labelLease] != "kept" {
			return false
		}
		got, err := decodeLedger(c)
		return err == nil && reflect.DeepEqual(got, l) && maps.Equal(encodeLedger(c.Spec.Labels, "p", got), c.Spec.Labels)
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 100}); err != nil {
		t.Error(err)
	}
}

// Nothing that somebody may have put into the labels is a panic.
func FuzzDecodeLedger(f *testing.F) {
	f.Add("1", `[{"Address":"x"}]`, `{"id":{"a":"x"}}`, `{"Holder":"me"}`)
	f.Add("1", pack(make([]resource.ScopeEntry, 500)), "gz:AAAA", "{")
	f.Fuzz(func(t *testing.T, format, scopes, marks, lease string) {
		c := swarm.Config{Spec: swarm.ConfigSpec{Data: make([]byte, keySize), Annotations: swarm.Annotations{Labels: map[string]string{
			labelLedger: format, labelScopes: scopes, labelMarks: marks, labelLease: lease,
		}}}}
		_, _ = decodeLedger(c)
		_, _ = decodeLease(lease)
	})
}

// Versions differ where anything of the content does, and only there.
func TestVersions(t *testing.T) {
	key := bytes.Repeat([]byte{1}, keySize)
	version := func(name, val, rotate string, key []byte) string {
		args := make(value.Struct, len(secretSchema.Fields()))
		_, set := fieldsOf(secretSchema, args)
		set("name", name)
		set("value", value.Secret{V: val})
		if rotate != "" {
			set("rotate", rotate)
		}
		n, hash, known := secretHandler{}.Version(args, key)
		if known && (len(hash) != 64 || !strings.HasPrefix(n, name+"-") || !strings.HasSuffix(n, hash[:hashDigits])) {
			t.Errorf("%s has the hash %s", n, hash)
		}
		return n
	}
	all := map[string]string{}
	for i, v := range []string{
		version("a", "x", "", key), version("a", "x", "y", key), version("a", "xy", "", key), version("a", "y", "x", key),
		version("b", "x", "", key), version("a", "x", "", bytes.Repeat([]byte{2}, keySize)),
	} {
		if old, dup := all[v]; dup {
			t.Errorf("%d has the name of %s: %s", i, old, v)
		}
		all[v] = fmt.Sprint(i)
	}
	if again := version("a", "x", "", bytes.Clone(key)); all[again] != "0" {
		t.Errorf("the same content is now %s", again)
	}
	if n := version("a", "x", "", nil); n != "" {
		t.Errorf("without the key the name is %s", n)
	}
	args := make(value.Struct, len(configSchema.Fields()))
	_, set := fieldsOf(configSchema, args)
	set("name", "c")
	set("content", &value.Template{Parts: []value.Value{"x", value.Ref{Address: "vm.a", Output: "ip"}}})
	if _, _, known := (configHandler{}).Version(args, key); known {
		t.Error("the name of what is not known yet is known")
	}
}

// Each letter and digit is as likely as the others.
func TestRandomText(t *testing.T) {
	const n = 62 * 4000
	text := randomText(n)
	counts := map[byte]int{}
	for _, b := range text {
		counts[b]++
	}
	if len(text) != n || len(counts) != len(alphabet) {
		t.Fatalf("%d characters, %d kinds", len(text), len(counts))
	}
	for b, c := range counts {
		if c < 3600 || c > 4400 { // six standard deviations
			t.Errorf("%c comes %d times in %d", b, c, n)
		}
	}
}

func TestChecks(t *testing.T) {
	type args = map[string]value.Value
	str := func(n int) string { return strings.Repeat("x", n) }
	list := func(vs ...value.Value) value.List { return vs }
	dict := func(kv ...string) *value.Map {
		var e []value.Entry
		for i := 0; i < len(kv); i += 2 {
			e = append(e, value.Entry{Key: kv[i], Value: kv[i+1]})
		}
		return value.NewMap(e)
	}
	for _, tt := range []struct {
		kind *resource.Kind
		args args
		want string // "" for none
	}{
		{SecretKind, args{"name": "a", "value": "x"}, ""},
		{SecretKind, args{"name": "a"}, "missing argument value (or generate"},
		{SecretKind, args{"name": "a", "value": "x", "generate": int64(32)}, "generate: cannot be given beside value"},
		{SecretKind, args{"name": "a", "driver": "vault", "value": "x"}, "driver: cannot be given beside value"},
		{SecretKind, args{"name": "a", "value": ""}, "value: is empty"},
		{SecretKind, args{"name": "a", "value": str(511_999)}, ""},
		{SecretKind, args{"name": "a", "value": str(512_000)}, "value: has 512000 bytes, and a swarm allows 511999"},
		{SecretKind, args{"name": "a", "generate": int64(7)}, "generate: got 7, want 8 to 4096"},
		{SecretKind, args{"name": str(51), "value": "x"}, ""},
		{SecretKind, args{"name": str(52), "value": "x"}, "name: is too long: 52 characters, and a secret's name has room for 51"},
		{SecretKind, args{"name": "a b", "value": "x"}, "name: want letters"},
		{SecretKind, args{"value": "x"}, "missing argument name"},
		{ConfigKind, args{"name": "a"}, "missing argument content"},
		{ConfigKind, args{"name": "a", "content": str(1_024_000)}, "has 1024000 bytes, and a swarm allows 1023999"},
		{ConfigKind, args{"name": "swarmscript.x", "content": "x"}, "are ours"},
		{NetworkKind, args{"name": "a"}, ""},
		{NetworkKind, args{"name": "a.b"}, "name: got"},
		{NetworkKind, args{"name": str(64)}, "name: has 64 characters"},
		{NetworkKind, args{"name": "host"}, "the engine's own"},
		{NetworkKind, args{"name": "a", "config_only": true}, "config_only: a configuration lives on an engine"},
		{NetworkKind, args{"name": "a", "ipv4": false}, "always have IPv4"},
		{NetworkKind, args{"name": "a", "scope": "local"}, "scope: a local network"},
		{NetworkKind, args{"name": "a", "scope": "galaxy"}, "want one of local, swarm, global"},
		{NetworkKind, args{"name": "a", "ingress": true, "attachable": true}, "cannot be attachable"},
		{NetworkKind, args{"name": "a", "config_from": "b", "labels": dict("a", "b"), "ipv6": true}, "labels: comes from config_from"},
		{NetworkKind, args{"name": "a", "subnets": list("10.0.0.0/24", "10.0.0.128/25")}, "overlaps"},
		{NetworkKind, args{"name": "a", "subnets": list("10.0.0.1/24")}, "which is an address in the block 10.0.0.0/24"},
		{NetworkKind, args{"name": "a", "subnets": list("ten")}, "want a block such as"},
		{NetworkKind, args{"name": "a", "subnets": list(dict("cidr", "10.0.0.0/24", "gateway", "10.1.0.1"))}, "subnets[0].gateway: 10.1.0.1 is not in 10.0.0.0/24"},
		{NetworkKind, args{"name": "a", "subnets": list(dict("cidr", "10.0.0.0/24", "ip_range", "10.0.0.0/16"))}, "is larger than"},
		{NetworkKind, args{"name": "a", "subnets": list(value.NewMap([]value.Entry{{Key: "cidr", Value: "10.0.0.0/24"}, {Key: "aux_address", Value: dict("p", "10.0.0.9")}}))}, "do not know auxiliary addresses"},
		{LocalNetworkKind, args{"name": "a.b"}, ""},
		{LocalNetworkKind, args{"name": "a", "driver": "overlay"}, "an overlay network needs a swarm"},
		{LocalNetworkKind, args{"name": "a", "scope": "swarm"}, "does not live on one engine"},
		{LocalNetworkKind, args{"name": "a", "ingress": true}, "ingress network is the swarm's"},
		{LocalNetworkKind, args{"name": "a", "config_from": "b"}, "carries no labels"},
		{LocalNetworkKind, args{"name": "a", "config_only": true, "internal": true}, "internal: a config_only network"},
		{SwarmKind, args{}, ""},
		{SwarmKind, args{"advertise_addr": "10.0.0.1:99999"}, "advertise_addr: got port"},
		{SwarmKind, args{"data_path_addr": "10.0.0.1:4789"}, "takes no port"},
		{SwarmKind, args{"data_path_port": int64(80)}, "want 1024 to 49151"},
		{SwarmKind, args{"default_addr_pool_mask_length": int64(24)}, "needs default_addr_pool"},
		{SwarmKind, args{"default_addr_pool": list()}, "is empty"},
		{SwarmKind, args{"cert_expiry": "1m"}, "want at least 1h0m0s"},
		{SwarmKind, args{"availability": "dozing"}, "want one of active, pause, drain"},
	} {
		in := make(value.Struct, len(tt.kind.Schema.Fields()))
		_, set := fieldsOf(tt.kind.Schema, in)
		for k, v := range tt.args {
			set(k, v)
		}
		out, problems := tt.kind.Schema.CheckAll(in)
		if problems == nil && tt.kind.Check != nil {
			problems = tt.kind.Check(out)
		}
		got := problems.Error()
		if tt.want == "" && problems != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s%.60v: got %q, want %q", tt.kind.Name, tt.args, got, tt.want)
		}
	}
}

// Values that wait for a step pass every check and completion.
func TestUnknownArguments(t *testing.T) {
	for _, k := range []*resource.Kind{SecretKind, ConfigKind, NetworkKind, LocalNetworkKind, SwarmKind} {
		for _, f := range k.Schema.Fields() {
			in := make(value.Struct, len(k.Schema.Fields()))
			in[f.Index] = value.Ref{Address: "vm.x", Output: "o", Sensitive: true}
			if k.Check != nil {
				k.Check(in)
			}
			if k.Complete != nil {
				k.Complete(in)
			}
			if !reflect.DeepEqual(in[f.Index], value.Ref{Address: "vm.x", Output: "o", Sensitive: true}) {
				t.Errorf("%s.%s: an unknown value became %v", k.Name, f.Name, in[f.Index])
			}
		}
	}
}

func FuzzCIDR(f *testing.F) {
	f.Add("10.0.0.0/24")
	f.Add("fd00:0:0::/64")
	f.Add("10.0.0.1/24")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := CIDR(s).Normal(); err == nil {
			if again, err := CIDR(n).Normal(); err != nil || again != n {
				t.Errorf("%q is %q is %q, %v", s, n, again, err)
			}
		}
		if n, err := IP(s).Normal(); err == nil {
			if again, err := IP(n).Normal(); err != nil || again != n {
				t.Errorf("%q is %q is %q, %v", s, n, again, err)
			}
		}
	})
}

// Labels of networks with config_from are copies of another network's.
func TestConfigFromHasNoMark(t *testing.T) {
	mark := resource.Mark{Project: "p", Address: "network.cfg"}
	n := network.Summary{Name: "x", ID: "1", Scope: "swarm", Driver: "macvlan", Labels: mark.Labels(nil)}
	if got := networkObject(n).Mark; !got.Equal(mark) {
		t.Errorf("the mark is %+v", got)
	}
	n.ConfigFrom.Network = "cfg"
	if got := networkObject(n).Mark; got.Project != "" {
		t.Errorf("the copied mark is %+v", got)
	}
}

func BenchmarkSecretVersion(b *testing.B) {
	key := make([]byte, keySize)
	for i := range b.N {
		slow.sum(key, fmt.Appendf(nil, "%d", i))
	}
}

func BenchmarkObserve(b *testing.B) {
	l := &lists{}
	for i := range 500 {
		labels := resource.Mark{Project: "p", Address: "x"}.Labels(nil)
		name := fmt.Sprintf("n%d", i)
		l.Networks = append(l.Networks, network.Summary{Name: name, ID: name, Scope: "swarm", Driver: "overlay", Labels: labels,
			IPAM: network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: "10.0.0.0/24", Gateway: "10.0.0.1"}}}})
		l.Secrets = append(l.Secrets, swarm.Secret{ID: name, Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: name, Labels: labels}}})
		l.Configs = append(l.Configs, swarm.Config{ID: name, Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: name, Labels: labels}}})
	}
	for range b.N {
		for _, o := range observers {
			o(l)
		}
	}
}
