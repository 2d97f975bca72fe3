package value

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// pair is one value built twice: with references and secrets in it, and as the
// plain data that it comes to.
type pair struct {
	deferred, plain Value
	refs            []Ref
	secret          bool
}

// builder makes random pairs.
type builder struct {
	r     *rand.Rand
	known map[Ref]Value
}

func newBuilder(seed uint64) *builder {
	return &builder{r: rand.New(rand.NewPCG(seed, 1)), known: map[Ref]Value{}}
}

func (b *builder) scalar() Value {
	switch b.r.IntN(5) {
	case 0:
		return b.r.IntN(2) == 0
	case 1:
		return int64(b.r.IntN(100))
	case 2:
		return float64(b.r.IntN(8)) / 4
	default:
		return fmt.Sprint("t", b.r.IntN(100))
	}
}

func (b *builder) ref() pair {
	ref := Ref{Address: NewAddress("", "vm", fmt.Sprint("m", len(b.known))), Output: "o", Sensitive: b.r.IntN(3) == 0}
	v := b.scalar()
	b.known[ref] = v
	return pair{ref, v, []Ref{ref}, ref.Sensitive}
}

// template makes text of parts, some of them templates and secrets themselves.
func (b *builder) template(depth int) pair {
	var parts []Value
	out := pair{plain: ""}
	for range b.r.IntN(4) {
		var p pair
		switch {
		case b.r.IntN(3) == 0:
			p = b.ref()
		case depth > 0 && b.r.IntN(3) == 0:
			p = b.template(depth - 1)
		default:
			s := b.scalar()
			p = pair{deferred: s, plain: s}
		}
		p = b.perhapsSecret(p)
		parts = append(parts, p.deferred)
		out.plain = out.plain.(string) + Text(p.plain)
		out.refs = append(out.refs, p.refs...)
		out.secret = out.secret || p.secret
	}
	out.deferred = Join(parts)
	return out
}

func (b *builder) perhapsSecret(p pair) pair {
	if b.r.IntN(4) == 0 {
		p.deferred, p.secret = Secret{p.deferred}, true
	}
	return p
}

func (b *builder) value(depth int) pair {
	kind := b.r.IntN(8)
	if depth == 0 {
		kind = b.r.IntN(4)
	}
	var p pair
	switch kind {
	case 0:
		s := b.scalar()
		p = pair{deferred: s, plain: s}
	case 1:
		p = b.ref()
	case 2:
		p = b.template(2)
	case 3:
		p = pair{(*Map)(nil), (*Map)(nil), nil, false}
	default:
		var l, plain []Value
		for range b.r.IntN(4) {
			e := b.value(depth - 1)
			l, plain = append(l, e.deferred), append(plain, e.plain)
			p.refs, p.secret = append(p.refs, e.refs...), p.secret || e.secret
		}
		p.deferred, p.plain = b.container(kind, l), b.container(kind, plain)
	}
	return b.perhapsSecret(p)
}

func (b *builder) container(kind int, l []Value) Value {
	switch kind {
	case 4:
		return List(l)
	case 5:
		return Struct(l)
	case 6:
		return Record{"thing", l}
	}
	entries := make([]Entry, len(l))
	for i, v := range l {
		entries[i] = Entry{fmt.Sprint("k", i), v}
	}
	return NewMap(entries)
}

const rounds = 5000

// Resolving every reference leaves nothing unknown, and gives what plain
// construction would have given; the order in which references become known
// makes no difference, and nothing that was secret stops being so.
func TestResolveEqualsPlainConstruction(t *testing.T) {
	for seed := range uint64(rounds) {
		b := newBuilder(seed)
		p := b.value(3)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d: %s: %s", seed, bare(p.deferred), fmt.Sprintf(format, args...))
		}
		if Known(p.deferred) != (len(p.refs) == 0) {
			fail("Known is %t with %d references", Known(p.deferred), len(p.refs))
		}
		if Sensitive(p.deferred) != p.secret {
			fail("Sensitive is %t", Sensitive(p.deferred))
		}
		checkRefs(t, p)

		all := func(r Ref) (Value, bool) {
			r.Sensitive = false // the reference may have been made so by what it stands in
			for k, v := range b.known {
				if k.Address == r.Address {
					return v, true
				}
			}
			return nil, false
		}
		got := Resolve(p.deferred, all)
		if !Known(got) {
			fail("unknown after all was resolved: %s", bare(got))
		}
		if p.secret && !Sensitive(got) {
			fail("no longer secret: %s", bare(got))
		}
		if !Equal(got, p.plain) {
			fail("resolved to %s, want %s", bare(got), bare(p.plain))
		}
		if open := RevealAll(got); Sensitive(open) || !Equal(open, p.plain) {
			fail("revealed as %s, want %s", bare(open), bare(p.plain))
		}

		step := p.deferred
		for _, i := range b.r.Perm(len(p.refs)) {
			step = Resolve(step, func(r Ref) (Value, bool) {
				if r.Address != p.refs[i].Address {
					return nil, false
				}
				return all(r)
			})
			if p.secret && !Sensitive(step) {
				fail("no longer secret on the way: %s", bare(step))
			}
		}
		if !Equal(step, got) {
			fail("one by one it is %s, at once %s", bare(step), bare(got))
		}
	}
}

// checkRefs compares the references that are found with those put in.
func checkRefs(t *testing.T, p pair) {
	t.Helper()
	var got []Address
	Refs(p.deferred, func(r Ref) { got = append(got, r.Address) })
	if len(got) != len(p.refs) {
		t.Fatalf("%s: found %v, want %v", bare(p.deferred), got, p.refs)
	}
	for i, r := range p.refs {
		if got[i] != r.Address {
			t.Fatalf("%s: found %v, want %v", bare(p.deferred), got, p.refs)
		}
	}
}

// A value that was taken apart and put together again is the same; revealing
// opens templates too.
func TestRevealAll(t *testing.T) {
	tests := []struct{ in, want Value }{
		{"a", "a"},
		{Secret{Secret{"a"}}, "a"},
		{List{Secret{"a"}, "b"}, List{"a", "b"}},
		{Struct{nil, Secret{List{Secret{"a"}}}}, Struct{nil, List{"a"}}},
		{NewMap([]Entry{{"k", Secret{"a"}}}), NewMap([]Entry{{"k", "a"}})},
		{(*Map)(nil), (*Map)(nil)},
		{Record{"auth", Struct{Secret{"a"}}}, Record{"auth", Struct{"a"}}},
		{text("x", Secret{"a"}, ip), text("xa", ip)},
	}
	for _, tt := range tests {
		if got := RevealAll(tt.in); bare(got) != bare(tt.want) {
			t.Errorf("RevealAll(%s) = %s, want %s", bare(tt.in), bare(got), bare(tt.want))
		}
	}
}
