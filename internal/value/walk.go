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
	case Record:
		if out, changed := resolveAll(v.Fields, lookup); changed {
			return Record{v.Type, out}
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
	case Record:
		b, ok := b.(Record)
		return ok && same(a.Fields, b.Fields)
	case Secret:
		b, ok := b.(Secret)
		return ok && same(a.V, b.V)
	}
	switch b.(type) {
	case List, Struct, Record, Secret:
		return false
	}
	return a == b
}

// Join makes one value of a template's parts: a string if all are known, a
// [Secret] string if a part is secret, otherwise a [*Template] with its
// neighbouring literals merged, secret ones apart from plain ones.
func Join(parts []Value) Value {
	var merged []Value
	var text strings.Builder
	secret, unknown, hidden := false, false, false // hidden: what is in text is secret
	flush := func() {
		switch {
		case hidden:
			merged = append(merged, Secret{text.String()})
		case text.Len() > 0:
			merged = append(merged, text.String())
		}
		text.Reset()
		hidden = false
	}
	for _, p := range flatten(parts) {
		if _, ok := p.(Ref); ok {
			unknown = true
			flush()
			merged = append(merged, p)
			continue
		}
		_, isSecret := p.(Secret)
		if isSecret != hidden {
			flush()
		}
		hidden = isSecret
		secret = secret || isSecret
		text.WriteString(Text(Reveal(p)))
	}
	if len(merged) == 0 && !secret {
		return text.String()
	}
	flush()
	if unknown {
		return &Template{Parts: merged}
	}
	for _, p := range merged {
		text.WriteString(Reveal(p).(string))
	}
	if secret {
		return Secret{text.String()}
	}
	return text.String()
}

// flatten puts the parts of inner templates in their place. What was secret as
// a whole is secret in each of its parts.
func flatten(parts []Value) []Value {
	var out []Value
	for _, p := range parts {
		_, secret := p.(Secret)
		inner := []Value{Reveal(p)}
		if t, ok := inner[0].(*Template); ok {
			inner = flatten(t.Parts)
		}
		for _, q := range inner {
			if ref, ok := q.(Ref); ok && secret {
				ref.Sensitive = true
				q = ref
			} else if secret {
				q = Secret{Reveal(q)}
			}
			out = append(out, q)
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
		return allKnown(v.Parts)
	case Secret:
		return Known(v.V)
	case Record:
		return allKnown(v.Fields)
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
	case Record:
		Refs(v.Fields, fn)
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
	case Record:
		return anySensitive(v.Fields)
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
	case *Template:
		if anySensitive(v.Parts) {
			return Join(revealEach(v.Parts))
		}
	case Record:
		if anySensitive(v.Fields) {
			return Record{v.Type, revealEach(v.Fields)}
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
