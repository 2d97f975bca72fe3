package emit_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/emit"
	"github.com/swarmscript/swarmscript/internal/format"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

var update = flag.Bool("update", false, "write the golden file anew")

// evaluate returns what a script declares.
func evaluate(text string) (*resource.Program, error) {
	rec := builtins.NewRecorder(&builtins.Inputs{Env: func(string) (string, bool) { return "", false }}, registry.Kinds())
	s := lang.NewSession(lang.Options{Predeclared: rec.Predeclared()})
	if _, err := s.ExecSource(context.Background(), "cluster.star", []byte(text)); err != nil {
		return nil, err
	}
	p, problems := rec.Program()
	return p, problems.Err()
}

// words are texts that some string types want, and some that want care.
var words = []string{
	"web", "nginx:1.27", "10.1.0.0/24", "10.1.0.1", "db:10.0.0.3", "node.role==worker", "spread=node.labels.zone", "/data", "key=value",
	"say \"hi\"", `back\slash`, "one\ntwo\nthree", "one\ntwo\n\"\"\"", "tab\tand\x01", "%s {}", "é☃", "", "# no comment", "\u202e", "\r\n\r\n", `end"`,
}

// random makes a value of a type, right or wrong.
func random(r *rand.Rand, t *schema.Type) value.Value {
	n := r.Int64N(1 << 40)
	switch {
	case t.Min != nil && t.Max != nil:
		n = *t.Min + r.Int64N(*t.Max-*t.Min+1)
	case t.Min != nil:
		n += *t.Min
	case t.Max != nil:
		n = *t.Max - n
	case r.IntN(2) == 0:
		n = r.Int64N(2000)
	}
	switch t.Kind {
	case schema.Bool:
		return r.IntN(2) == 0
	case schema.Int:
		return n
	case schema.Duration:
		return fmt.Sprintf("%dns", n)
	case schema.Bytes:
		return n << r.IntN(20)
	case schema.CPUs:
		return float64(r.IntN(10000)) / 1000
	case schema.Mode:
		return r.Int64N(0o10000)
	case schema.Float:
		return r.Float64()
	case schema.String:
		if len(t.Enum) > 0 {
			return t.Enum[r.IntN(len(t.Enum))]
		}
		return words[r.IntN(len(words))]
	case schema.ListOf:
		l := value.List{}
		for range r.IntN(4) {
			l = append(l, good(r, t.Elem))
		}
		return l
	case schema.MapOf:
		var entries []value.Entry
		for range r.IntN(4) {
			if key := words[r.IntN(len(words))]; key != "" {
				entries = append(entries, value.Entry{Key: key, Value: good(r, t.Elem)})
			}
		}
		return value.NewMap(entries)
	case schema.StructOf:
		out := make(value.Struct, len(t.Struct.Fields()))
		for i, f := range t.Struct.Fields() {
			if f.Required || r.IntN(2) == 0 {
				v, err := f.Check(good(r, f.Type))
				if err == nil {
					out[i] = v
				} else if f.Required {
					return nil
				}
			}
		}
		return out
	}
	return words[r.IntN(len(words))]
}

// good makes a value that its type takes, if it finds one.
func good(r *rand.Rand, t *schema.Type) value.Value {
	for range 40 {
		v := random(r, t)
		if _, err := t.Check(v); err == nil {
			return v
		}
	}
	return nil
}

// arguments makes right arguments of a kind, nil where none were found.
func arguments(r *rand.Rand, k *resource.Kind) value.Struct {
	args := make(value.Struct, len(k.Schema.Fields()))
	for i, f := range k.Schema.Fields() {
		if f.Name == "name" {
			args[i] = "thing"
			continue
		}
		if f.Local || !f.Required && r.IntN(3) > 0 {
			continue
		}
		v, err := f.Check(good(r, f.Type))
		if err != nil || value.Reveal(v) == "" { // nothing: an observation has none, or the default
			continue
		}
		args[i] = v
		if k.Check != nil && k.Check(args) != nil && !f.Required {
			args[i] = nil // does not go with the others
		}
	}
	for _, f := range k.Schema.Required() {
		if args[f.Index] == nil {
			return nil
		}
	}
	if k.Check != nil && k.Check(args) != nil {
		return nil
	}
	if k.Complete != nil {
		k.Complete(args)
	}
	return args
}

// Whatever the arguments of whatever kind, the script that is written of them
// declares the same.
func TestWhatIsWrittenIsDeclared(t *testing.T) {
	for _, k := range registry.Kinds() {
		if _, named := k.Schema.Field("name"); !named || k.Opens != "" || k.Scope == "" || k.Scope == "host" || k.Scope == "azure" || k.Folder != nil {
			continue // a check is in no scope, and nothing live; what is on machines, in Azure, or made from a folder, is not imported
		}
		t.Run(k.Scope+"/"+k.Name, func(t *testing.T) {
			plain := *k
			plain.Given = nil // the arguments are no engine's
			tried := 0
			for seed := range uint64(400) {
				args := arguments(rand.New(rand.NewPCG(seed, 7)), k)
				if args == nil {
					continue
				}
				tried++
				item := &emit.Item{Kind: &plain, Object: &resource.Object{Kind: k.Name, ID: "1", Name: "thing", Args: args}}
				in := emit.Input{Project: "shop/prod", Engine: "engine()", Swarm: true, Items: []*emit.Item{item}, Kinds: registry.Kinds()}
				out, failed := emit.Write(in)
				if len(failed) > 0 {
					t.Fatalf("seed %d: %v", seed, failed)
				}
				same(t, seed, out.Text, k, args)
				formatted, err := format.Source("cluster.star", []byte(out.Text))
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, out.Text)
				}
				same(t, seed, string(formatted), k, args)
			}
			if tried < 20 {
				t.Errorf("only %d of 400 had right arguments", tried)
			}
		})
	}
}

func same(t *testing.T, seed uint64, text string, k *resource.Kind, want value.Struct) {
	t.Helper()
	p, err := evaluate(text)
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, diag.From(err), text)
	}
	d := p.Declarations[len(p.Declarations)-1]
	for i, f := range k.Schema.Fields() {
		got, want := d.Args[i], want[i]
		if got == nil {
			got = f.Default
		}
		if want == nil {
			want = f.Default
		}
		if got == nil && f.Default == nil && (want == "" || want == value.Value((*value.Map)(nil))) {
			continue // nothing, where nothing is what is there
		}
		if got = value.Reveal(got); !f.Type.Same(got, value.Reveal(want)) {
			t.Fatalf("seed %d: %s is %s, want %s\n%s", seed, f.Name, f.Type.Format(got), f.Type.Format(want), text)
		}
	}
}

// swarmOf is a small swarm: names that are not identifiers, that clash, and
// that refer to each other.
func swarmOf() []*emit.Item {
	item := func(kind, name string, fields map[string]value.Value) *emit.Item {
		k := *registry.Kind("swarm", kind)
		k.Given = nil
		args := make(value.Struct, len(k.Schema.Fields()))
		for n, v := range fields {
			f, _ := k.Schema.Field(n)
			checked, err := f.Check(v)
			if err != nil {
				panic(err)
			}
			args[f.Index] = checked
		}
		return &emit.Item{Kind: &k, Object: &resource.Object{Kind: kind, ID: kind + name, Name: name, Args: args}}
	}
	web := item("service", "web", map[string]value.Value{"image": "nginx:1.27", "networks": value.List{"web", "2nd", "elsewhere"},
		"secrets": value.List{"db.password"}, "configs": value.List{"config", "long"}, "ports": value.List{"8080:80"}})
	pw := item("secret", "db.password", nil)
	pw.External, pw.Comment = true, []string{"cannot be\nread back"}
	return []*emit.Item{web, pw,
		item("network", "web", map[string]value.Value{"attachable": true}), item("network", "2nd", nil), item("network", "unused-net", nil),
		item("config", "config", map[string]value.Value{"content": "listen 80"}),
		item("config", "long", map[string]value.Value{"content": strings.Repeat("line\n", 30)}),
		item("service", "for", map[string]value.Value{"image": "nginx:1.27", "labels": value.MapOf(map[string]string{"a": "1"})}),
	}
}

// What a script of a swarm looks like.
func TestLook(t *testing.T) {
	in := emit.Input{Header: []string{"What was live.", "", "  more"}, Project: "shop/prod", Engine: `engine("ssh://root@192.0.2.1", name = "main")`,
		Swarm: true, Items: swarmOf(), Beside: true, Reserved: []string{"config", "network"}}
	out, failed := emit.Write(in)
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	got, err := format.Source("cluster.star", []byte(out.Text))
	if err != nil {
		t.Fatalf("%v\n%s", err, out.Text)
	}
	if names := out.FileNames(); !slices.Equal(names, []string{"configs/long"}) {
		t.Errorf("the files are %v", names)
	}
	golden := filepath.Join("testdata", "swarm.star")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A line of the text tells the item that it is of.
func TestAt(t *testing.T) {
	items := swarmOf()
	out, _ := emit.Write(emit.Input{Project: "shop", Swarm: true, Items: items, Reserved: []string{"config"}})
	p, err := evaluate(out.Text)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.Text)
	}
	for _, d := range p.Declarations {
		i := out.At(d.Pos.Line)
		if d.Kind.Opens == "" && (i == nil || i.Kind.Name != d.Kind.Name || i.Object.Name != d.Address.Name()) {
			t.Errorf("line %d declares %s, and is of %v", d.Pos.Line, d.Address, i)
		}
	}
	if out.At(1) != nil {
		t.Error("the first line is an item's")
	}
}

// Text that no script can hold is refused.
func TestBinary(t *testing.T) {
	items := swarmOf()[5:6]
	f, _ := items[0].Kind.Schema.Field("content")
	items[0].Object.Args[f.Index] = "\xff\xfe"
	if _, failed := emit.Write(emit.Input{Project: "shop", Items: items}); failed[items[0]] == nil {
		t.Error("it was written")
	}
}
