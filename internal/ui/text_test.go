package ui

import (
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		want    string
	}{
		{"short", 10, "short"},
		{"registry.example.com/shop/web:1.27.3", 20, "registry....b:1.27.3"},
		{"漢字漢字漢字漢字", 10, "漢字...字"},
		{"👩‍👩‍👧‍👦 a family, and more words", 12, "👩‍👩‍👧‍👦 a ...ords"},
		{"abcdef", 3, "abc"},
		{"abcdef", 0, ""},
	} {
		got := cut(c.in, c.columns)
		if got != c.want || textWidth(got) > c.columns {
			t.Errorf("cut(%q, %d): got %q, %d columns, want %q", c.in, c.columns, got, textWidth(got), c.want)
		}
	}
}

// Two values that differ are never cut so that they look the same.
func TestCutPair(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range [][2]string{{long + "1" + long, long + "2" + long}, {long + "é" + long, long + "è" + long}, {long + long, long + long + "x" + long}} {
		a, b := cutPair(c[0], c[1], 20)
		if a == b || textWidth(a) > 20 || textWidth(b) > 20 {
			t.Errorf("got %q and %q", a, b)
		}
	}
}

func TestShortVersion(t *testing.T) {
	for _, c := range [][3]string{
		{"db_password-a1f03c", "db_password", "a1f03c"},
		{"db_password.a1f03c9d77aa", "db_password", "a1f03c9d"},
		{"other-name-b77e10", "db_password", "b77e10"},
		{"plain", "db_password", "plain"},
		{"db_password", "db_password", "db_password"},
		{"my-secret", "db_password", "my-secret"},
	} {
		if got := shortVersion(c[0], c[1]); got != c[2] {
			t.Errorf("%s of %s: got %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

// A note is folded as a terminal would not: between words.
func TestNote(t *testing.T) {
	for width, want := range map[int]string{0: "observed shop: 5 machines\n", 16: "observed shop: 5\nmachines\n"} {
		var b strings.Builder
		if Note(&b, "observed shop: 5 machines", width); b.String() != want {
			t.Errorf("%d columns: got %q, want %q", width, b.String(), want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[31mb", 5)
	f.Add("漢字\u202e\xff\t", 3)
	f.Fuzz(func(t *testing.T, s string, columns int) {
		columns = min(max(columns, 0), 500)
		c := clean(s)
		noControls(t, c)
		if got := cut(c, columns); textWidth(got) > columns {
			t.Errorf("cut(%q, %d) = %q: %d columns", c, columns, got, textWidth(got))
		}
		for _, l := range cleanLines(s) {
			noControls(t, l)
		}
		if columns > 0 && strings.Join(fold(c, columns), " ") != c {
			t.Errorf("fold(%q, %d) loses text", c, columns)
		}
	})
}
