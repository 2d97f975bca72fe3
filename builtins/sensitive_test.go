package builtins_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What a service's own checks refuse is not shown where it is sensitive: as an
// argument, in a record by itself, and once an apply knows it.
func TestChecksDoNotShowSecrets(t *testing.T) {
	for _, tt := range []struct{ secret, arg string }{
		{"'hunter2' * 12", "hostname = pw"},
		{"'./hunter2'", "mounts = [mount(source = pw, target = '/a', type = 'bind')]"},
		{"'./hunter2'", "mounts = [mount(type = 'bind', source = pw, target = '/a')] * 2"},
		{"'hunter2'", "mounts = [mount(target = pw), mount(target = pw, source = 'v')]"},
		{"'hunter2'", "ulimits = [ulimit(pw, 5)]"},
		{"'hunter2'", "ulimits = [ulimit(name = pw, soft = 5, hard = 3)]"},
		{"'hunter2'", "ports = [port(pw)]"},
		{"'hunter2'", "ports = [port(80, protocol = pw)]"},
		{"'hunter2'", "healthcheck = healthcheck(cmd = [pw, 'x'])"},
		{"'hunter2'", "secrets = [pw, pw]"},
	} {
		src := "project('p')\nswarm.init()\npw = env('PW', default = " + tt.secret + ", sensitive = True)\nservice('w', image = 'nginx', " + tt.arg + ")\n"
		_, problems := evaluate(t, src, nil)
		if len(problems) == 0 && !strings.Contains(tt.arg, "secrets") {
			t.Errorf("%s: no problem", tt.arg)
		}
		for _, p := range problems {
			if s := fmt.Sprintf("%v %+v", p, *p); strings.Contains(s, "hunter2") {
				t.Errorf("%s: %s", tt.arg, s)
			}
		}
	}
}

func TestDecideDoesNotShowSecrets(t *testing.T) {
	var kind *resource.Kind
	for _, k := range registry.Kinds() {
		if k.Name == "service" {
			kind = k
		}
	}
	long := strings.Repeat("hunter2", 12)
	ref := value.Ref{Address: "secret.s", Output: "x", Type: "string", Sensitive: true}
	record := func(field string, names map[string]value.Value) value.Value {
		f, _ := kind.Schema.Field(field)
		out := f.Type.Elem.Struct.Defaults()
		for name, v := range names {
			in, _ := f.Type.Elem.Struct.Field(name)
			out[in.Index] = v
		}
		return value.List{out}
	}
	for _, tt := range []struct {
		field, known string
		v            value.Value
	}{
		{"hostname", long, ref},
		{"hostname", long, value.Secret{V: ref}},
		{"hostname", long, value.Join([]value.Value{"a-", ref})},
		{"mounts", "./hunter2", record("mounts", map[string]value.Value{"type": "bind", "target": "/a", "source": ref})},
		{"ulimits", "hunter2", record("ulimits", map[string]value.Value{"name": ref, "soft": int64(5), "hard": int64(3)})},
	} {
		args := make(value.Struct, len(kind.Schema.Fields()))
		for name, v := range map[string]value.Value{"name": "w", "image": "nginx", tt.field: tt.v} {
			f, _ := kind.Schema.Field(name)
			args[f.Index] = v
		}
		_, problems := plan.Decide(plan.Case{Project: "p", Absent: true,
			Decl:    &resource.Declaration{Address: "service.w", Kind: kind, Args: args},
			Resolve: func(value.Ref) (value.Value, bool) { return tt.known, true }})
		if len(problems) == 0 {
			t.Errorf("%s: no problem", tt.field)
		}
		for _, p := range problems {
			if s := fmt.Sprintf("%v %+v", p, *p); strings.Contains(s, "hunter2") {
				t.Errorf("%s: %s", tt.field, s)
			}
		}
	}
}
