package examples_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// Each example has its tests beside it, and they pass: what is planned, and what
// becomes of it in a lab.
func TestExamplesTests(t *testing.T) {
	scripts, err := filepath.Glob("*/cluster.star")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts: %v, %v", scripts, err)
	}
	s := &stage{T: t}
	code, out := s.run("test", "--timeout", "4m", ".")
	if code != 0 || !strings.Contains(out, " 0 failed in ") {
		t.Errorf("they ended with %d:\n%s", code, out)
	}
	for _, script := range scripts {
		if want := "ok    " + filepath.ToSlash(filepath.Dir(script)) + "/cluster_test.star  "; !strings.Contains(out, want) {
			t.Errorf("%s has no tests, or they do not pass", script)
		}
	}
}
