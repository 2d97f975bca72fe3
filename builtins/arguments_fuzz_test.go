package builtins

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/lang"
)

// FuzzArguments calls the builtin of every kind with arguments that make no
// sense, and some that do: there are problems, or a declaration that its Go
// struct takes. Nothing panics.
func FuzzArguments(f *testing.F) {
	for i := range 64 {
		seed := make([]byte, 96)
		for j := range seed {
			seed[j] = byte(i*31 + j*(2*i+7))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &fuzzed{data: data}
		rec := NewRecorder(&Inputs{}, registry.Kinds())
		predeclared := rec.Predeclared()
		script := in.script()
		s := lang.NewSession(lang.Options{Root: t.TempDir(), Predeclared: predeclared})
		_, err := s.ExecSource(context.Background(), "fuzz.star", []byte(script))
		if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Fatalf("%v\n%s", err, script)
		}
		program, problems := rec.Program()
		problems = append(problems, diag.From(err)...)
		if len(problems) > 0 {
			return
		}
		for _, d := range program.Declarations {
			into := reflect.New(d.Kind.Schema.GoType())
			if d.External || len(d.Refs()) > 0 {
				continue
			}
			if err := d.Kind.Schema.Decode(d.Args, into.Interface()); err != nil {
				t.Fatalf("%s: %v\n%s", d.Address, err, script)
			}
			again := d.Kind.Schema.Encode(into.Interface())
			if diff := d.Kind.Schema.Diff(d.Args, again, nil); len(diff) > 0 {
				t.Fatalf("%s: %s is not what it was\n%s", d.Address, diff[0].Path, script)
			}
		}
	})
}

// fuzzed makes a script of random bytes.
type fuzzed struct{ data []byte }

func (in *fuzzed) n(limit int) int {
	if len(in.data) == 0 {
		return 0
	}
	b := in.data[0]
	in.data = in.data[1:]
	return int(b) % limit
}

func (in *fuzzed) script() string {
	var b strings.Builder
	b.WriteString("project(\"fuzz\")\n")
	kinds := registry.Kinds()
	for i := range 1 + in.n(3) {
		k := kinds[in.n(len(kinds))]
		name := k.Name
		if k.Name == "swarm" {
			name = "swarm.init"
			fmt.Fprintf(&b, "%s(name = \"x%d\"", name, i)
		} else {
			fmt.Fprintf(&b, "%s(\"x%d\"", name, i)
		}
		if k.Scope == "engine" && k.Name != "swarm" {
			b.WriteString(", engine = engine()")
		}
		for _, f := range k.Schema.Fields() {
			if f.Name != "name" && (f.Required || in.n(6) == 0) {
				fmt.Fprintf(&b, ", %s = %s", f.Name, in.value(f.Type, 0))
			}
		}
		if in.n(5) == 0 {
			fmt.Fprintf(&b, ", %s = %s", CommonArguments[in.n(len(CommonArguments))].Name, in.anything(0))
		}
		b.WriteString(")\n")
	}
	return b.String()
}

// value is one that a field could have, more often than not.
func (in *fuzzed) value(t *schema.Type, depth int) string {
	if in.n(5) == 0 || depth > 4 {
		return in.anything(depth)
	}
	switch {
	case t.Struct != nil && t.Elem == nil:
		var b strings.Builder
		b.WriteString(t.Struct.Name + "(")
		for _, f := range t.Struct.Fields() {
			if f.Required || in.n(3) == 0 {
				fmt.Fprintf(&b, "%s = %s, ", f.Name, in.value(f.Type, depth+1))
			}
		}
		return b.String() + ")"
	case t.Kind == schema.MapOf:
		var b strings.Builder
		b.WriteString("{")
		for i := range in.n(3) {
			fmt.Fprintf(&b, "\"k%d\": %s, ", i, in.value(t.Elem, depth+1))
		}
		return b.String() + "}"
	case t.Elem != nil:
		var b strings.Builder
		b.WriteString("[")
		for range in.n(4) {
			b.WriteString(in.value(t.Elem, depth+1) + ", ")
		}
		return b.String() + "]"
	}
	switch words := []string{"1", "0", "True", `"x"`, `"10s"`, `"64m"`, `"0644"`, `"10.9.0.0/16"`, `"a:1.2.3.4"`, `"node.role==worker"`, "0.5"}; in.n(3) {
	case 0:
		return fmt.Sprint(in.n(200) - 20)
	default:
		return words[in.n(len(words))]
	}
}

// anything is any value that a script could write down.
func (in *fuzzed) anything(depth int) string {
	switch in.n(12) {
	case 0:
		return "None"
	case 1:
		return "True"
	case 2:
		return fmt.Sprint(int64(binary.LittleEndian.Uint64(append(in.bytes(8), make([]byte, 8)...))))
	case 3:
		return "1 << 70"
	case 4:
		x := math.Float64frombits(binary.LittleEndian.Uint64(append(in.bytes(8), make([]byte, 8)...)))
		return fmt.Sprintf("float(%q)", fmt.Sprint(x))
	case 5:
		return starlark.String(in.bytes(in.n(12))).String()
	case 6:
		return starlark.Bytes(in.bytes(in.n(4))).String()
	case 7:
		return "len"
	case 8:
		return `secret("s", generate = 8)`
	case 9:
		return `network("n", driver = "overlay").id`
	case 10:
		if depth < 4 {
			return "[" + in.anything(depth+1) + ", " + in.anything(depth+1) + "]"
		}
	case 11:
		if depth < 4 {
			return "{" + in.anything(depth+1) + ": " + in.anything(depth+1) + "}"
		}
	}
	return "\"\""
}

func (in *fuzzed) bytes(n int) []byte {
	n = min(n, len(in.data))
	out := in.data[:n:n]
	in.data = in.data[n:]
	return out
}
