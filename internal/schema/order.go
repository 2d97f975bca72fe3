package schema

import (
	"cmp"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

// sortSet sorts a set by [Compare] and drops what is there twice.
func sortSet(l value.List) value.List {
	slices.SortStableFunc(l, Compare)
	return slices.CompactFunc(l, value.Equal)
}

// Compare is a total order of values, by type and then by content: the order
// of a set. Unknown values come last, by name.
func Compare(a, b value.Value) int {
	a, b = value.Reveal(a), value.Reveal(b)
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case bool:
		b := b.(bool)
		switch {
		case a == b:
			return 0
		case !a:
			return -1
		}
		return 1
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case string:
		return strings.Compare(a, b.(string))
	case value.List:
		return slices.CompareFunc(a, b.(value.List), Compare)
	case value.Struct:
		return slices.CompareFunc(a, b.(value.Struct), Compare)
	case *value.Map:
		b := b.(*value.Map)
		for i := range min(a.Len(), b.Len()) {
			x, y := a.Entries[i], b.Entries[i]
			if c := strings.Compare(x.Key, y.Key); c != 0 {
				return c
			}
			if c := Compare(x.Value, y.Value); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.Len(), b.Len())
	case value.Ref:
		b := b.(value.Ref)
		return cmp.Or(strings.Compare(a.String(), b.String()), strings.Compare(string(a.Address), string(b.Address)),
			strings.Compare(a.Output, b.Output), strings.Compare(a.Type, b.Type), Compare(a.Sensitive, b.Sensitive))
	case value.Record:
		b := b.(value.Record)
		return cmp.Or(strings.Compare(a.Type, b.Type), slices.CompareFunc(a.Fields, b.Fields, Compare))
	case *value.Template:
		return slices.CompareFunc(a.Parts, b.(*value.Template).Parts, Compare)
	}
	return 0
}

func rank(v value.Value) int {
	switch v.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case int64:
		return 2
	case float64:
		return 3
	case string:
		return 4
	case value.List:
		return 5
	case value.Struct:
		return 6
	case *value.Map:
		return 7
	case value.Record:
		return 8
	case *value.Template:
		return 9
	case value.Ref:
		return 10
	}
	return 11
}
