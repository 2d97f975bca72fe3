package scripttest

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/lang"
)

// difference says how two values differ that are not equal: in a line where they
// are short, otherwise what is different in them.
func difference(got, want starlark.Value) (summary, detail string) {
	g, w := lang.Text(got), lang.Text(want)
	if len(g)+len(w) <= 80 {
		if g == w {
			g, w = got.Type()+" "+g, want.Type()+" "+w
		}
		return fmt.Sprintf("got %s, want %s", g, w), ""
	}
	if a, ok := starlark.AsString(got); ok {
		if b, ok := starlark.AsString(want); ok && strings.Contains(a+b, "\n") {
			return "the texts differ", strings.TrimRight(string(diff.Diff("want", lines(b), "got", lines(a))), "\n")
		}
	}
	var parts []string
	inside(&parts, "", starlark.CompareLimit, got, want)
	if len(parts) > 0 {
		return "the values differ", strings.Join(parts, "\n")
	}
	return "the values differ", "got   " + g + "\nwant  " + w
}

func lines(s string) []byte { return []byte(strings.TrimRight(s, "\n") + "\n") }

// most differences that are shown.
const mostDifferences = 20

// inside adds what differs within two dicts or lists of a kind, by the path to it,
// so many levels deep.
func inside(out *[]string, path string, levels int, got, want starlark.Value) {
	if levels == 0 {
		return // a list may hold itself
	}
	add := func(at, format string, args ...any) {
		if len(*out) < mostDifferences {
			*out = append(*out, strings.TrimPrefix(path+at+": ", ": ")+fmt.Sprintf(format, args...))
		} else if len(*out) == mostDifferences {
			*out = append(*out, "...")
		}
	}
	deeper := func(at string, g, w starlark.Value) {
		if same, err := starlark.Equal(g, w); err == nil && same {
			return
		}
		before := len(*out)
		if inside(out, path+at, levels-1, g, w); len(*out) == before {
			add(at, "got %s, want %s", short(g), short(w))
		}
	}
	switch g := got.(type) {
	case *starlark.Dict:
		w, ok := want.(*starlark.Dict)
		if !ok {
			return
		}
		for _, item := range g.Items() {
			at := "[" + short(item[0]) + "]"
			if v, found, err := w.Get(item[0]); err != nil || !found {
				add(at, "got %s, want nothing", short(item[1]))
			} else {
				deeper(at, item[1], v)
			}
		}
		for _, item := range w.Items() {
			if _, found, err := g.Get(item[0]); err == nil && !found {
				add("["+short(item[0])+"]", "got nothing, want %s", short(item[1]))
			}
		}
	case starlark.Indexable:
		w, ok := want.(starlark.Indexable)
		if !ok || got.Type() != want.Type() || got.Type() == "string" {
			return
		}
		for i := range max(g.Len(), w.Len()) {
			at := fmt.Sprintf("[%d]", i)
			switch {
			case i >= g.Len():
				add(at, "got nothing, want %s", short(w.Index(i)))
			case i >= w.Len():
				add(at, "got %s, want nothing", short(g.Index(i)))
			default:
				deeper(at, g.Index(i), w.Index(i))
			}
		}
	}
}
