package schema

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/value"
)

const rounds = 2000

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func perhaps[T any](r *rand.Rand, v T) *T {
	if r.IntN(3) == 0 {
		return nil
	}
	return &v
}

func some[T any](r *rand.Rand, make func(i int) T) []T {
	var out []T
	for i := range r.IntN(4) {
		out = append(out, make(i))
	}
	return out
}

// randomSpec returns a spec in normal form: its sets are sorted, by virtue of
// being counted up, its empty lists and maps are nil.
func randomSpec(r *rand.Rand) everything {
	word := func(int) string { return fmt.Sprint("w", r.IntN(100)) }
	s := everything{
		Name: word(0), On: r.IntN(2) == 0, Count: new(uint64), Level: r.IntN(7) - 3, Tiny: uint16(r.Uint32()), Ratio: r.Float64(),
		Mode: pick(r, "fast", "slow"), Image: pick[lower](r, "", "nginx", "redis:7"), Wait: time.Duration(r.IntN(60)) * time.Second,
		Every: perhaps(r, time.Duration(r.Int64N(1e12))), Memory: Size(r.Int64N(1 << 50)), CPU: NanoCPUs(r.Int64N(1e12)), Perm: FileMode(r.IntN(0o10000)),
		Args: some(r, word), Command: some(r, word), Caps: pick(r, nil, []string{"ALL"}, []string{"ALL", "NET"}, []string{"NET", "SYS"}),
		Nets:  some(r, func(i int) string { return fmt.Sprint("n", i) }),
		Ports: some(r, func(i int) port { return port{Target: i + 1, Published: r.IntN(9), Protocol: pick(r, "tcp", "udp")} }),
		Mounts: some(r, func(i int) mount {
			return mount{Source: fmt.Sprint(i), Target: fmt.Sprint("/", i), Timeout: time.Duration(r.IntN(9))}
		}),
		Auth: auth{User: word(0), Password: word(0), Token: word(0), Hint: word(0)}, Password: word(0), Content: word(0), Note: word(0),
		Holes: some(r, func(int) *string { return perhaps(r, word(0)) }), Extra: pick[any](r, nil, "x", int64(4), value.List{"a"}),
	}
	*s.Count = uint64(r.IntN(10))
	if r.IntN(2) == 0 {
		s.Port = &port{Target: 1 + r.IntN(100), Protocol: "tcp"}
	}
	for i := range r.IntN(4) {
		if s.Labels == nil {
			s.Labels, s.Sizes = map[string]string{}, map[string]Size{}
		}
		s.Labels[fmt.Sprint("l", i)], s.Sizes[fmt.Sprint("s", i)] = word(0), Size(r.Int64N(1e6))
	}
	return s
}

// A spec that is encoded and decoded is itself, and encodes as it did.
func TestEncodeDecodeRoundTrip(t *testing.T) {
	for seed := range uint64(rounds) {
		spec := randomSpec(random(seed))
		args := schemaOf.Encode(spec)
		var back everything
		if err := schemaOf.Decode(args, &back); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(back, spec) {
			t.Fatalf("seed %d: got\n%+v\nwant\n%+v", seed, back, spec)
		}
		if again := schemaOf.Encode(&back); !value.Equal(again, args) {
			t.Fatalf("seed %d: encoded again it is\n%v\nnot\n%v", seed, again, args)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	args := func(field string, v value.Value) value.Struct {
		out := make(value.Struct, len(schemaOf.Fields()))
		out[index(field)] = v
		return out
	}
	tests := []struct {
		args value.Struct
		want string
	}{
		{value.Struct{}, "everything: got 0 fields, want 28"},
		{args("name", int64(1)), "name: got int, want string"},
		{args("name", later), "name: got vm.m1.ip, want string"},
		{args("tiny", int64(-1)), "tiny: -1 is out of range"},
		{args("tiny", int64(65536)), "tiny: 65536 is out of range"},
		{args("args", list("a", int64(1))), "args: [1]: got int, want string"},
		{args("sizes", dict("a", "x")), `sizes: ["a"]: got "x", want size`},
		{args("auth", value.Struct{int64(1), nil, nil, nil}), "auth: user: got int, want string"},
	}
	for _, tt := range tests {
		if err := schemaOf.Decode(tt.args, &everything{}); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// What a script leaves out is its default in the decoded spec.
func TestDecodeFillsInDefaults(t *testing.T) {
	var got everything
	if err := schemaOf.Decode(make(value.Struct, len(schemaOf.Fields())), &got); err != nil {
		t.Fatal(err)
	}
	one := uint64(1)
	want := everything{On: true, Count: &one, Mode: "fast", Wait: 5 * time.Second, Perm: 0o440}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// randomValue makes any tree of values, right or wrong.
func randomValue(r *rand.Rand, depth int) value.Value {
	kinds := 14
	if depth == 0 {
		kinds = 8
	}
	switch r.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return pick(r, int64(r.IntN(5)), -1, 1<<62)
	case 3:
		return pick(r, 0.5, -1, 1e300)
	case 4:
		return pick(r, "", "a", "b", "5s", "512m", "0440", "8080:80", "udp", "ALL")
	case 5:
		return pick(r, later, laterInt, handle, volume, value.Ref{Address: "a/vm.m1", Output: "ip", Type: "string"})
	case 6:
		return value.Join([]value.Value{"a", pick(r, later, laterInt)})
	case 7:
		return (*value.Map)(nil)
	case 8:
		return value.Secret{V: randomValue(r, depth-1)}
	case 9, 10:
		return value.List(some(r, func(int) value.Value { return randomValue(r, depth-1) }))
	case 11: // of the right length it would be taken to be in normal form
		return value.Struct{randomValue(r, depth-1)}
	case 12:
		return value.Record{Type: pick(r, "port", "mount", "auth"), Fields: value.Struct{randomValue(r, depth-1)}}
	}
	var entries []value.Entry
	for range r.IntN(4) {
		key := pick(r, "target", "source", "published", "protocol", "user", "password", "x")
		entries = append(entries, value.Entry{Key: key, Value: randomValue(r, depth-1)})
	}
	return value.NewMap(entries)
}

// The order of sets is total: antisymmetric, transitive, and equal only for
// what is equal.
func TestCompareIsATotalOrder(t *testing.T) {
	sign := func(n int) int { return max(-1, min(n, 1)) }
	for seed := range uint64(rounds) {
		r := random(seed)
		vs := []value.Value{randomValue(r, 2), randomValue(r, 2), randomValue(r, 2), list()}
		for _, a := range vs {
			for _, b := range vs {
				if sign(Compare(a, b)) != -sign(Compare(b, a)) {
					t.Fatalf("seed %d: %#v and %#v are %d one way, %d the other", seed, a, b, Compare(a, b), Compare(b, a))
				}
				if (Compare(a, b) == 0) != value.Equal(a, b) {
					t.Fatalf("seed %d: %#v and %#v: order %d, equal %t", seed, a, b, Compare(a, b), value.Equal(a, b))
				}
				for _, c := range vs {
					if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
						t.Fatalf("seed %d: %#v, %#v and %#v are in a circle", seed, a, b, c)
					}
				}
			}
		}
	}
}

// Whatever a script gives, a check ends without a panic; what passes has a
// text, differs in nothing from itself, and decodes once it is known.
func checkAnything(t *testing.T, r *rand.Rand) {
	args := make(value.Struct, len(schemaOf.Fields()))
	for _, f := range schemaOf.Fields() {
		v := randomValue(r, 3)
		out, err := f.Check(v)
		if err != nil {
			_ = err.Error()
			continue
		}
		args[f.Index] = out
		_ = f.Type.Format(out)
		if !f.Type.Same(out, out) {
			t.Fatalf("%s: %s differs from itself", f.Name, f.Type.Format(out))
		}
	}
	resolved, problems := schemaOf.Resolve(args, func(ref value.Ref) (value.Value, bool) {
		if ref.Type == "int" {
			return int64(3), true
		}
		return "text", true
	})
	if problems != nil {
		return // such as text that is not among an enum's
	}
	if !value.Known(resolved) {
		t.Fatalf("unknown after all was resolved: %v", resolved)
	}
	if err := schemaOf.Decode(resolved, &everything{}); err != nil {
		t.Fatalf("%v\n%v", err, resolved)
	}
}

func TestCheckAnything(t *testing.T) {
	for seed := range uint64(rounds) {
		checkAnything(t, random(seed))
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { checkAnything(t, rand.New(rand.NewPCG(a, b))) })
}

// No text makes a check panic, and text that passes a kind with a unit is shown
// as text that means the same.
func FuzzCheckText(f *testing.F) {
	for _, s := range []string{"", "5", "5s", "-5m", "512m", "1.5GiB", "0.5", "1e308", "NaN", "0440", "0o440", "8080:80", "fast"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, field := range schemaOf.Fields() {
			v, err := field.Check(s)
			if err != nil {
				continue
			}
			switch field.Type.Kind {
			case Duration, Bytes, CPUs, Mode:
				again, err := field.Check(field.Type.Format(v))
				if err != nil || again != v {
					t.Errorf("%s = %q is %d, shown as %s, which is %v, %v", field.Name, s, v, field.Type.Format(v), again, err)
				}
			}
		}
	})
}
