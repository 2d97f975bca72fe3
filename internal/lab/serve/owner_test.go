package serve

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// A lab that has an owner goes with it, whatever the reason: its process ends, and
// nothing of it is left but the owner's own file. Until then it is as any other.
func TestOwner(t *testing.T) {
	l := newLab(t)
	owner := must[io.Closer](t)(l.Own())
	up(t, l, "web")
	first := pid(t, l)
	if got := hosts(t, l); got != "web running" || pid(t, l) != first {
		t.Errorf("with its owner there it has %q", got)
	}
	p, err := os.FindProcess(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	for p.Signal(probe) == nil { // or the test ends with its time limit
		time.Sleep(10 * time.Millisecond)
	}
	left := must[[]os.DirEntry](t)(os.ReadDir(l.Dir()))
	if l.Exists() || len(left) != 1 || left[0].Name() != api.OwnerFile {
		t.Errorf("left are %v", left)
	}
}
