package diag

import (
	"errors"
	"fmt"
	"testing"
	"unicode/utf8"
)

func ExampleDidYouMean() {
	fmt.Println(DidYouMean("replcias", []string{"replicas", "resources", "name"}))
	// Output: did you mean "replicas"?
}

func TestSuggest(t *testing.T) {
	names := []string{"service", "secret", "network", "config", "limit_cpu", "limit_memory", "id"}
	tests := []struct{ name, want string }{
		{"service", "service"},
		{"SERVICE", "service"},
		{"servcie", "service"},
		{"servic", "service"},
		{"secrets", "secret"},
		{"limit_cpus", "limit_cpu"},
		{"limits_mem", ""},
		{"volume", ""},
		{"x", ""},
		{"", ""},
		{"dd", "id"}, // one edit that leaves something of it
		{"i", "id"},  // the beginning of a short name is near enough
		{"réseau", ""},
		{"nëtwork", "network"},
	}
	for _, tt := range tests {
		if got := Suggest(tt.name, names); got != tt.want {
			t.Errorf("Suggest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := DidYouMean("volume", names); got != "" {
		t.Errorf("got %q where nothing is near", got)
	}
}

// The distance is a distance: nothing to itself, the same both ways, and never
// more than the longer text.
func FuzzDistance(f *testing.F) {
	f.Add("service", "servcie")
	f.Add("", "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 200 {
			return
		}
		longer := max(utf8.RuneCountInString(a), utf8.RuneCountInString(b))
		d := distance(a, b, longer)
		if d != distance(b, a, longer) || d > longer || distance(a, a, longer) != 0 {
			t.Errorf("%q and %q: %d and %d", a, b, d, distance(b, a, longer))
		}
	})
}

func TestErrorText(t *testing.T) {
	at := Pos{File: "cluster.star", Line: 3, Col: 7}
	tests := []struct {
		d    Diagnostic
		want string
	}{
		{Diagnostic{Summary: "no such name"}, "no such name"},
		{Diagnostic{Pos: at, Summary: "no such name"}, "cluster.star:3:7: no such name"},
		{Diagnostic{Pos: Pos{File: "a.star", Line: 3}, Summary: "x"}, "a.star:3: x"},
		{Diagnostic{Pos: Pos{File: "a.star"}, Summary: "x"}, "a.star: x"},
		{Diagnostic{Pos: at, Summary: "x", Hint: "do y"}, "cluster.star:3:7: x (do y)"},
		{Diagnostic{Pos: at, Summary: "x", Hint: "do y\nthen z"}, "cluster.star:3:7: x"},
		{Diagnostic{Pos: at, Summary: "x", Detail: "at length"}, "cluster.star:3:7: x"},
		{*Errorf(at, "%d of %s", 2, "y"), "cluster.star:3:7: 2 of y"},
	}
	for _, tt := range tests {
		if got := tt.d.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if got := (Pos{}).String(); got != "-" || (Pos{}).IsValid() || !at.IsValid() {
		t.Errorf("no position is %q", got)
	}
}

func TestList(t *testing.T) {
	d := func(file string, line, col int, text string) *Diagnostic {
		return &Diagnostic{Pos: Pos{File: file, Line: line, Col: col}, Summary: text}
	}
	l := List{d("b", 1, 1, "fifth"), d("a", 2, 1, "third"), d("a", 1, 9, "second"), d("a", 2, 1, "fourth"), d("a", 1, 1, "first")}
	l.Sort()
	want := "a:1:1: first\na:1:9: second\na:2:1: third\na:2:1: fourth\nb:1:1: fifth"
	if l.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", l, want)
	}
	if l.Err() == nil {
		t.Error("a list with an error in it is none")
	}
	// A nil error, not a nil list in an error.
	if err := (List{{Severity: Warning}}).Err(); err != nil {
		t.Errorf("warnings are an error: %v", err)
	}
	if err := List(nil).Err(); err != nil {
		t.Errorf("nothing is an error: %v", err)
	}
}

func TestFrom(t *testing.T) {
	one := Errorf(Pos{}, "one")
	two := List{one, Errorf(Pos{}, "two")}
	tests := []struct {
		err  error
		want string
	}{
		{nil, ""},
		{one, "one"},
		{two, "one\ntwo"},
		{fmt.Errorf("in a.star: %w", one), "one"},
		{fmt.Errorf("in a.star: %w", two), "one\ntwo"},
		{errors.New("plain"), "plain"},
	}
	for _, tt := range tests {
		if got := From(tt.err).Error(); got != tt.want {
			t.Errorf("From(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
