package format

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Formatting twice is formatting once, and every script of the project is
// formatted.
func TestOurOwn(t *testing.T) {
	for _, dir := range []string{"../../examples", "../../stdlib"} {
		files, err := Files(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("%s has no scripts", dir)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out, err := Source(file, text)
			if err != nil {
				t.Error(err)
				continue
			}
			if d := Diff(file, text, out); d != nil {
				t.Errorf("not formatted:\n%s", d)
			}
			if again, err := Source(file, out); err != nil || string(again) != string(out) {
				t.Errorf("%s: the second time it changes again: %v", file, err)
			}
		}
	}
}

// What the formatter's own parser takes and the language does not is an error.
func TestRefuses(t *testing.T) {
	for _, text := range []string{
		"def f(x: int):\n    pass\n",
		"x: int = 3\n",
		"class A:\n    pass\n",
		"x = (1,\n",
		"\xff\n",
	} {
		if out, err := Source("a.star", []byte(text)); err == nil {
			t.Errorf("%q is formatted as %q", text, out)
		}
	}
}

// A file is replaced as a whole, through a link, with its mode.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a.star"), filepath.Join(dir, "b.star")
	if err := errors.Join(os.WriteFile(file, []byte("x=1\n"), 0o640), os.Chmod(file, 0o640)); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	if err := os.Symlink("a.star", link); err != nil {
		t.Skip(err)
	}
	if err := Write(link, []byte("x = 1\n")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "x = 1\n" {
		t.Errorf("it holds %q, %v", text, err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is now %v, %v", info, err)
	}
	if info, err = os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is now %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func FuzzSource(f *testing.F) {
	f.Add("x = [1,2]\nif x: print( 'a' )\n")
	f.Add("load('a.star', 'b')\ndef f(*a, **k):\n  return [x for x in a if x]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 || strings.Count(text, "(") > 200 {
			t.Skip()
		}
		out, err := Source("a.star", []byte(text))
		if err != nil {
			return
		}
		if _, err := Source("a.star", out); err != nil {
			t.Errorf("%q is formatted as %q, which is refused: %v", text, out, err)
		}
	})
}
