package ui

import (
	"strings"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// maxPairs bounds the search for elements that belong together.
const maxPairs = 30

// listChange shows how a list differs, element by element: "- " what goes,
// "+ " what comes, "~ " what changes. It returns nil where the difference is
// no list's, or fits on the line as a whole.
func listChange(c *schema.Change, room int) []string {
	if c.Type == nil || c.Type.Kind != schema.ListOf {
		return nil
	}
	before, ok1 := c.Before.(value.List)
	after, ok2 := c.After.(value.List)
	if !ok1 && c.Before != nil || !ok2 && c.After != nil {
		return nil
	}
	elem := c.Type.Elem
	was, is := texts(elem, before), texts(elem, after)
	if elem.Kind != schema.StructOf && total(was)+total(is)+len(arrow)+4 <= room {
		return nil
	}
	gone, come := apart(was, is), apart(is, was)
	var lines []string
	for _, i := range gone {
		paired := -1
		if elem.Kind == schema.StructOf && len(gone) <= maxPairs && len(come) <= maxPairs {
			paired = partner(elem.Struct, before[i], after, come)
		}
		if paired < 0 {
			lines = append(lines, "- "+was[i])
			continue
		}
		j := come[paired]
		come = append(come[:paired:paired], come[paired+1:]...)
		lines = append(lines, "~ "+structChange(elem.Struct, before[i].(value.Struct), after[j].(value.Struct)))
	}
	for _, j := range come {
		lines = append(lines, "+ "+is[j])
	}
	if len(lines) == 0 {
		// They differ in what is not shown, or in order alone.
		if len(was) == len(is) && strings.Join(was, "\n") != strings.Join(is, "\n") {
			return []string{"  the same " + countOf(len(is), "element", "elements") + " in another order"}
		}
		return []string{"  " + value.Hidden}
	}
	if same := len(is) - len(lines); same > 0 && len(lines) <= maxLines {
		if kept := len(was) - len(apart(was, is)); kept > 0 {
			lines = append(lines, "  ... "+countOf(kept, "element", "elements")+" as before")
		}
	}
	return lines
}

func texts(t *schema.Type, l value.List) []string {
	out := make([]string, len(l))
	for i, e := range l {
		out[i] = string(appendValue(nil, t, e))
	}
	return out
}

func total(texts []string) int {
	n := 0
	for _, t := range texts {
		n += textWidth(t) + 4
	}
	return n
}

// apart returns the indexes of what is in a and not in b, as often as it is.
func apart(a, b []string) []int {
	left := make(map[string]int, len(b))
	for _, s := range b {
		left[s]++
	}
	var out []int
	for i, s := range a {
		if left[s] > 0 {
			left[s]--
		} else {
			out = append(out, i)
		}
	}
	return out
}

// partner finds, among what comes, the element that shares most with one that
// goes; -1 where none shares anything that was given.
func partner(s *schema.Struct, old value.Value, after value.List, come []int) int {
	x, ok := old.(value.Struct)
	if !ok {
		return -1
	}
	best, bestAt := 0, -1
	for at, j := range come {
		y, ok := after[j].(value.Struct)
		if !ok {
			continue
		}
		shared := 0
		for i, f := range s.Fields() {
			if given(f, x[i]) && value.Equal(x[i], y[i]) {
				shared++
			}
		}
		if shared > best {
			best, bestAt = shared, at
		}
	}
	return bestAt
}

// structChange shows how two structs differ, with the first field that they
// share to tell which one it is: port(target = 80, published: 8080 -> 8081).
func structChange(s *schema.Struct, x, y value.Struct) string {
	b := append([]byte(s.Name), '(')
	first, named := true, false
	for i, f := range s.Fields() {
		same := f.Type.Same(y[i], x[i])
		if same && (named || !given(f, x[i])) {
			continue
		}
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = append(b, f.Name...)
		if same {
			named = true
			b = appendField(append(b, " = "...), f, x[i])
			continue
		}
		b = appendField(append(b, ": "...), f, x[i])
		if !f.Secret {
			b = appendField(append(b, arrow...), f, y[i])
		}
	}
	return string(append(b, ')'))
}
