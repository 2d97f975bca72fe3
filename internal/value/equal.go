package value

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
	case Record:
		b, ok := b.(Record)
		return ok && a.Type == b.Type && allEqual(a.Fields, b.Fields)
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
	case List, Struct, Record:
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
