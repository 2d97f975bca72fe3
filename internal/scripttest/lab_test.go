package scripttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/serve"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// A lab's process is this test program started again.
func TestMain(m *testing.M) {
	serve.Intercept(os.Args)
	os.Exit(m.Run())
}

// The tests of testdata/lab pass, at once, and nothing is left of their labs.
func TestLabs(t *testing.T) {
	tmp, err := os.MkdirTemp("", "labs") // with a short name: there are sockets in it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	t.Setenv("TMPDIR", tmp)
	results := Run(t.Context(), find(t, "testdata/lab"), Options{Parallelism: 8, Timeout: 4 * time.Minute})
	for _, r := range results {
		if r.Status != Passed {
			var b strings.Builder
			WriteFailure(&b, r, ui.Style{})
			t.Errorf("%s: %s after %s\n%s\n%s", r.Name, r.Status, r.Took, strings.Join(r.Output, "\n"), b.String())
		}
	}
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
