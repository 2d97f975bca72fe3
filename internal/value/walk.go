package value

import "strings"

// Resolve replaces every reference that lookup knows. A template whose parts
// are all known becomes a string, a [Secret] one where a part was secret. A
// value without references is returned as it is, not copied.
func Resolve(v Value, lookup func(Ref) (Value, bool)) Value {
	switch v := v.(type) {
	case Ref:
		got, ok := lookup(v)
		if !ok {
			return v
		}
		if v.Sensitive {
			if _, wrapped := got.(Secret); !wrapped {
				return Secret{got}
			}
		}
		return got
	case *Template:
		if parts, changed := resolveAll(v.Parts, lookup); changed {
			return Join(parts)
		}
	case Secret:
		if inner := Resolve(v.V, lookup); !same(inner, v.V) {
			return Secret{Reveal(inner)}
		}
	case List:
		if out, changed := resolveAll(v, lookup); changed {
			return List(out)
		}
	case Struct:
		if out, changed := resolveAll(v, lookup); changed {
			return Struct(out)
		}
	case *Map:
		var out []Entry
		for i, e := range v.all() {
			if r := Resolve(e.Value, lookup); !same(r, e.Value) {
				if out == nil {
					out = append([]Entry(nil), v.all()...)
				}
				out[i].Value = r
			}
		}
		if out != nil {
			return &Map{Entries: out}
		}
	}
	return v
}

func resolveAll(in []Value, lookup func(Ref) (Value, bool)) (out []Value, changed bool) {
	for i, e := range in {
		switch e.(type) {
		case nil, string, bool, int64, float64:
			continue
		}
		r := Resolve(e, lookup)
		if same(r, e) {
			continue
		}
		if !changed {
			out, changed = append([]Value(nil), in...), true
		}
		out[i] = r
	}
	return out, changed
}

// same reports whether Resolve handed back its argument. It may say false for
// equal values, never true for different ones.
func same(a, b Value) bool {
	switch a := a.(type) {
	case List:
		b, ok := b.(List)
		return ok && len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
	case Struct:
		b, ok := b.(Struct)
		return ok && len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
	case Secret:
		b, ok := b.(Secret)
		return ok && same(a.V, b.V)
	}
	switch b.(type) {
	case List, Struct, Secret:
		return false
	}
	return a == b
}

// Join makes one value of a template's parts: a string if all are known, a
// [Secret] string if a part is secret, otherwise a [*Template] with its
// neighbouring literals merged.
func Join(parts []Value) Value {
	var merged []Value
	var text strings.Builder
	secret, unknown := false, false
	for _, p := range parts {
		switch p := p.(type) {
		case Ref:
			unknown = true
			if text.Len() > 0 {
				merged = append(merged, text.String())
				text.Reset()
			}
			merged = append(merged, p)
		case *Template:
			return Join(flatten(parts))
		default:
			if s, ok := p.(Secret); ok {
				secret = true
				if _, ok := s.V.(*Template); ok {
					return Join(flatten(parts))
				}
			}
			text.WriteString(Text(Reveal(p)))
		}
	}
	switch {
	case !unknown && secret:
		return Secret{text.String()}
	case !unknown:
		return text.String()
	case secret:
		// Secret text must stay wrapped, so the parts are kept apart.
		return &Template{Parts: append([]Value(nil), parts...)}
	}
	if text.Len() > 0 {
		merged = append(merged, text.String())
	}
	return &Template{Parts: merged}
}

func flatten(parts []Value) []Value {
	var out []Value
	for _, p := range parts {
		switch p := p.(type) {
		case *Template:
			out = append(out, flatten(p.Parts)...)
		case Secret:
			if t, ok := p.V.(*Template); ok {
				for _, q := range flatten(t.Parts) {
					if _, isRef := q.(Ref); !isRef {
						q = Secret{Reveal(q)}
					}
					out = append(out, q)
				}
				continue
			}
			out = append(out, p)
		default:
			out = append(out, p)
		}
	}
	return out
}

// Known reports whether nothing in the value waits for a step.
func Known(v Value) bool {
	switch v := v.(type) {
	case Ref:
		return false
	case *Template:
		for _, p := range v.Parts {
			if _, ok := p.(Ref); ok {
				return false
			}
		}
	case Secret:
		return Known(v.V)
	case List:
		return allKnown(v)
	case Struct:
		return allKnown(v)
	case *Map:
		for _, e := range v.all() {
			if !Known(e.Value) {
				return false
			}
		}
	}
	return true
}

func allKnown(vs []Value) bool {
	for _, v := range vs {
		if !Known(v) {
			return false
		}
	}
	return true
}

// Refs calls fn for every reference in the value, in order.
func Refs(v Value, fn func(Ref)) {
	switch v := v.(type) {
	case Ref:
		fn(v)
	case *Template:
		for _, p := range v.Parts {
			Refs(p, fn)
		}
	case Secret:
		Refs(v.V, fn)
	case List:
		for _, e := range v {
			Refs(e, fn)
		}
	case Struct:
		for _, e := range v {
			Refs(e, fn)
		}
	case *Map:
		for _, e := range v.all() {
			Refs(e.Value, fn)
		}
	}
}

// Sensitive reports whether any part of the value is secret.
func Sensitive(v Value) bool {
	switch v := v.(type) {
	case Secret:
		return true
	case Ref:
		return v.Sensitive
	case *Template:
		return anySensitive(v.Parts)
	case List:
		return anySensitive(v)
	case Struct:
		return anySensitive(v)
	case *Map:
		for _, e := range v.all() {
			if Sensitive(e.Value) {
				return true
			}
		}
	}
	return false
}

func anySensitive(vs []Value) bool {
	for _, v := range vs {
		if Sensitive(v) {
			return true
		}
	}
	return false
}

// RevealAll returns the value with every [Secret] in it opened. The caller
// takes on the duty not to show it.
func RevealAll(v Value) Value {
	switch v := v.(type) {
	case Secret:
		return RevealAll(v.V)
	case List:
		if anySensitive(v) {
			return List(revealEach(v))
		}
	case Struct:
		if anySensitive(v) {
			return Struct(revealEach(v))
		}
	case *Map:
		if Sensitive(v) {
			out := make([]Entry, len(v.Entries))
			for i, e := range v.all() {
				out[i] = Entry{e.Key, RevealAll(e.Value)}
			}
			return &Map{Entries: out}
		}
	}
	return v
}

func revealEach(vs []Value) []Value {
	out := make([]Value, len(vs))
	for i, v := range vs {
		out[i] = RevealAll(v)
	}
	return out
}

// Equal compares two values to the last leaf. Secrets are compared by what
// they hold, with a secret equal to the same plain value: the comparison
// decides, only showing is restricted. Unknown values are equal only to
// themselves.
func Equal(a, b Value) bool {
	switch x := a.(type) { // most are plain, and equal
	case nil:
		if b == nil {
			return true
		}
	case string:
		if y, ok := b.(string); ok {
			return x == y
		}
	case int64:
		if y, ok := b.(int64); ok {
			return x == y
		}
	case bool:
		if y, ok := b.(bool); ok {
			return x == y
		}
	}
	a, b = Reveal(a), Reveal(b)
	switch a := a.(type) {
	case List:
		b, ok := b.(List)
		return ok && allEqual(a, b)
	case Struct:
		b, ok := b.(Struct)
		return ok && allEqual(a, b)
	case *Template:
		b, ok := b.(*Template)
		return ok && allEqual(a.Parts, b.Parts)
	case *Map:
		b, ok := b.(*Map)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for i, e := range a.all() {
			if e.Key != b.Entries[i].Key || !Equal(e.Value, b.Entries[i].Value) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case List, Struct:
		return false
	}
	return a == b
}

func allEqual(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
