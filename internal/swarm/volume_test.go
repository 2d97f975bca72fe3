package swarm

import (
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/value"
)

// What is wrong with a volume's arguments, in each scope; "" is nothing.
func TestCheckVolume(t *testing.T) {
	text := func(kv ...string) value.Value {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return value.MapOf(m)
	}
	unknown := value.Ref{Address: "engine.default/plugin.p", Output: "name", Type: "string"}
	for _, tt := range []struct {
		scope string
		args  map[string]value.Value
		want  string
	}{
		{"engine", map[string]value.Value{}, ""},
		{"engine", map[string]value.Value{"name": "a"}, "at least two"},
		{"engine", map[string]value.Value{"name": "a/b"}, "at least two"},
		{"engine", map[string]value.Value{"name": "swarmscript.shop.marks.1"}, "the program's own"},
		{"engine", map[string]value.Value{"driver": ""}, "is empty"},
		{"engine", map[string]value.Value{"driver": "nfs", "options": text("share", "x")}, ""},
		{"engine", map[string]value.Value{"driver": unknown, "options": text("share", "x")}, ""},
		{"engine", map[string]value.Value{"options": text("type", "nfs", "device", ":/x", "o", "addr=a")}, ""},
		{"engine", map[string]value.Value{"options": text("share", "x")}, `the local driver does not know "share"`},
		{"engine", map[string]value.Value{"driver": "local", "options": text("share", "x")}, `does not know "share"`},
		{"engine", map[string]value.Value{"labels": text("swarmscript.project", "x")}, "is reserved"},
		{"engine", map[string]value.Value{"sharing": "all"}, "belongs to volumes of a swarm"},
		{"engine", map[string]value.Value{"availability": "active"}, "belongs to volumes of a swarm"},
		{"swarm", map[string]value.Value{}, "needs the name of a CSI plugin"},
		{"swarm", map[string]value.Value{"driver": "local"}, "the local driver is the engine's"},
		{"swarm", map[string]value.Value{"driver": "csi", "options": text("share", "x"), "sharing": "all"}, ""},
		{"swarm", map[string]value.Value{"driver": unknown}, ""},
		{"swarm", map[string]value.Value{"driver": "csi", "required_bytes": int64(2), "limit_bytes": int64(1)}, "is more than limit_bytes"},
		{"swarm", map[string]value.Value{"driver": "csi", "required_bytes": int64(2), "limit_bytes": int64(0)}, ""},
	} {
		args := make(value.Struct, len(volumeSchema.Fields()))
		_, set := fieldsOf(volumeSchema, args)
		set("name", "data")
		for name, v := range tt.args {
			set(name, v)
		}
		var got []string
		for _, p := range checkVolume(tt.scope, args) {
			got = append(got, p.Msg)
		}
		if tt.want == "" && got != nil || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%s, %v: got %q, want %q", tt.scope, tt.args, got, tt.want)
		}
	}
}

// An engine's driver in the words of its lists.
func TestCompleteVolume(t *testing.T) {
	for _, tt := range []struct {
		scope    string
		in, want value.Value
	}{
		{"engine", nil, "local"}, {"engine", "sshfs:latest", "sshfs"}, {"engine", "sshfs:2", "sshfs:2"}, {"engine", "sshfs", "sshfs"},
		{"swarm", nil, nil}, {"swarm", "csi:latest", "csi:latest"},
	} {
		args := make(value.Struct, len(volumeSchema.Fields()))
		get, set := fieldsOf(volumeSchema, args)
		set("driver", tt.in)
		if completeVolume(tt.scope, args); get("driver") != tt.want {
			t.Errorf("%s: the driver %v is %v, want %v", tt.scope, tt.in, get("driver"), tt.want)
		}
	}
}

// A swarm that an old engine leads is no warning on each plan.
func TestMissingVolumes(t *testing.T) {
	got := missingVolumes([]string{
		"rpc error: code = Unimplemented desc = unknown method ListVolumes for service docker.swarmkit.v1.Control",
		"plugin nfs does not answer",
	})
	if want := []string{"volumes may be missing: plugin nfs does not answer"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
