package docs

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/swarmscript/swarmscript/builtins"
)

func pageText(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// void are the elements that have no end.
var void = []string{"meta", "link", "input", "br", "hr", "img"}

// The page is well formed: what begins ends, in order; an ID is there once; a
// link to a place has one.
func TestPageIsWellFormed(t *testing.T) {
	z := html.NewTokenizer(strings.NewReader(pageText(t)))
	var open, links []string
	ids := map[string]int{}
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			if len(open) > 0 {
				t.Errorf("these do not end: %v", open)
			}
			for _, l := range links {
				if ids[strings.TrimPrefix(l, "#")] != 1 {
					t.Errorf("there are %d places for the link %s", ids[strings.TrimPrefix(l, "#")], l)
				}
			}
			for id, n := range ids {
				if n != 1 {
					t.Errorf("the ID %s is there %d times", id, n)
				}
			}
			if len(links) < 100 {
				t.Errorf("there are only %d links", len(links))
			}
			return
		case html.StartTagToken:
			tok := z.Token()
			if !slices.Contains(void, tok.Data) {
				open = append(open, tok.Data)
			}
			for _, a := range tok.Attr {
				switch {
				case a.Key == "id":
					ids[a.Val]++
				case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
					links = append(links, a.Val)
				case a.Key == "href" && a.Val != "data:," || a.Key == "src" || strings.HasPrefix(a.Key, "on"):
					t.Errorf("<%s %s=%q>: the page loads nothing, and links to itself", tok.Data, a.Key, a.Val)
				}
			}
		case html.EndTagToken:
			tok := z.Token()
			if len(open) == 0 || open[len(open)-1] != tok.Data {
				t.Fatalf("</%s> ends %v", tok.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// Every builtin, every argument and every output has its place.
func TestPageIsWhole(t *testing.T) {
	text := pageText(t)
	modules, err := Modules()
	if err != nil {
		t.Fatal(err)
	}
	all := All()
	for _, m := range modules {
		all = append(all, m.Functions...)
	}
	has := func(id string) {
		if !strings.Contains(text, `id="`+html.EscapeString(id)+`"`) {
			t.Errorf("there is no place %s", id)
		}
	}
	for _, e := range all {
		has(e.Name)
		for _, r := range e.Rows {
			has(e.Name + "." + r.Name)
		}
		for _, o := range e.Outputs {
			has(e.Name + ".out." + o.Name)
		}
	}
	for _, a := range builtins.CommonArguments {
		has("common." + a.Name)
	}
	for _, f := range Flagless {
		if !strings.Contains(text, f.Command+" "+f.Flag) {
			t.Errorf("%s %s is not there", f.Command, f.Flag)
		}
	}
}

// The page is one file, and not a large one.
func TestPageStandsAlone(t *testing.T) {
	text := pageText(t)
	if len(text) > 600<<10 {
		t.Errorf("the page has %d bytes", len(text))
	}
	for _, loads := range []string{`url\(`, `@import`, `fetch\(`, `XMLHttpRequest`, `import\(`, `<iframe`, `<script [^>]*src`} {
		if m := regexp.MustCompile(loads).FindString(text); m != "" {
			t.Errorf("the page has %s", m)
		}
	}
	if !strings.Contains(text, `default-src 'none'`) {
		t.Error("the page does not forbid what it does not need")
	}
}

// The examples are right, and what they call is a link.
func TestExamples(t *testing.T) {
	for _, x := range examples {
		if list := evaluateScript(x); len(list) > 0 {
			t.Errorf("%v\n%s", list, x)
		}
	}
	got := string(highlight("web = service(\"<a>\", n = 1)  # & more\n", func(name string) string { return "#" + name }))
	want := `web = <a class="f" href="#service">service</a>(<span class="s">&#34;&lt;a&gt;&#34;</span>, n = <span class="n">1</span>)  <span class="c"># &amp; more</span>` + "\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Every function of the standard library says what it does, and what each of
// its arguments is.
func TestModules(t *testing.T) {
	modules, err := Modules()
	if err != nil || len(modules) == 0 {
		t.Fatalf("%v, %v", modules, err)
	}
	for _, m := range modules {
		if m.Doc == "" || len(m.Functions) == 0 {
			t.Errorf("%s has no documentation, or no function", m.Name)
		}
		for _, f := range m.Functions {
			if f.Doc == "" {
				t.Errorf("%s: %s has no documentation", m.Name, f.Name)
			}
			for _, r := range f.Rows {
				if r.Doc == "" {
					t.Errorf("%s: %s: %s has no documentation", m.Name, f.Name, r.Name)
				}
			}
			if e, err := Find(f.Name); err != nil || e.Doc != f.Doc && e.Module == "" {
				t.Errorf("%s: %v, %v", f.Name, e, err)
			}
		}
	}
	_, err = FindModule("@stdlib//updte.star")
	if err == nil || !strings.Contains(err.Error(), `there is no module "@stdlib//updte.star" (did you mean "@stdlib//update.star"?)`) {
		t.Errorf("got %v", err)
	}
}

// What a docstring says of its function, and of its arguments.
func TestParseModule(t *testing.T) {
	m, err := parseModule("@stdlib//x.star", []byte(`"""What it is for."""

def _own(x):
    return x

def make(name, *rest, size = 3, wait = "5s", opts = {}, **kw):
    """Makes it.

    In two paragraphs.

    Args:
      name: what it is called,
        over two lines.
      size: how large.
      opts: more.
    """
    return _own(name)
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Functions) != 1 {
		t.Fatalf("got %d functions", len(m.Functions))
	}
	f := m.Functions[0]
	if f.Doc != "Makes it. In two paragraphs." || f.Signature != `make(name, *rest, size = 3, wait = "5s", opts = {}, **kw)` {
		t.Errorf("got %q, %q", f.Doc, f.Signature)
	}
	want := []Row{
		{Name: "name", Type: "any", Default: "required", Doc: "What it is called, over two lines."},
		{Name: "*rest", Type: "any"}, {Name: "size", Type: "int", Default: "3", Doc: "How large."},
		{Name: "wait", Type: "duration", Default: `"5s"`}, {Name: "opts", Type: "map", Default: "{}", Doc: "More."}, {Name: "**kw", Type: "any"},
	}
	for i, r := range f.Rows {
		if i >= len(want) || r.Name != want[i].Name || r.Type != want[i].Type || r.Default != want[i].Default || r.Doc != want[i].Doc {
			t.Errorf("got %+v", r)
		}
	}
}
