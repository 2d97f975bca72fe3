package debian_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// maxIdle is how many bytes of memory a machine that does nothing may take, and
// maxIdleGoroutines how many goroutines.
const (
	maxIdle           = 300 << 10
	maxIdleGoroutines = 1
)

func heap() (bytes uint64, goroutines int) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}

// A hundred machines fit into one process.
func TestIdleCost(t *testing.T) {
	file, err := store.Open(filepath.Join(t.TempDir(), "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	make := func(i int) *debian.System {
		s, err := debian.New(debian.Config{Hostname: fmt.Sprint("m", i), Image: "debian-12", User: "deploy", Store: file.In(fmt.Sprint("m", i))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Boot(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	defer make(1000).PowerOff() // with which the image is made
	before, goroutines := heap()
	const n = 50
	var all [n]*debian.System
	for i := range all {
		all[i] = make(i)
		if out, _, code := sh(t, all[i], "deploy", "ls -R /etc | wc -l; id", ""); code != 0 {
			t.Fatal(out)
		}
	}
	after, more := heap()
	if each := (after - before) / n; each > maxIdle {
		t.Errorf("an idle machine takes %d bytes, want at most %d", each, maxIdle)
	} else {
		t.Logf("an idle machine takes %d bytes", each)
	}
	if each := (more - goroutines) / n; each > maxIdleGoroutines {
		t.Errorf("an idle machine has %d goroutines", each)
	}
	for _, s := range all {
		s.PowerOff()
	}
}
