package lang

import (
	"os"
	"path/filepath"
	"testing"
)

// The root folder is open only while a script is evaluated, and a session reads
// on in the next evaluation.
func TestRootIsClosed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.star"), []byte("x = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := NewSession(Options{Root: dir})
	for range 2 {
		if _, err := s.ExecFile(t.Context(), "x.star"); err != nil {
			t.Fatal(err)
		}
		if s.root != nil {
			t.Error("the root folder is open after the run")
		}
	}
}

func TestRecordKeepsEachOnce(t *testing.T) {
	s := NewSession(Options{})
	s.Record("env", "A", []byte("1"), false)
	s.Record("var", "A", []byte("1"), false)
	s.Record("env", "A", []byte("1"), true)
	s.Record("env", "A", []byte("1"), false)
	r := s.Reads()
	if len(r) != 2 || r[0].Kind != "env" || !r[0].Sensitive || r[0].Digest != "" || r[1].Kind != "var" || r[1].Sensitive || r[1].Digest == "" {
		t.Errorf("got %+v", r)
	}
}
