package azuretest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/azure/machines"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/local"
)

// Lab puts hosts of a lab behind virtual machines, of one that ends with the test.
// The test's binary has to be a lab's process too: see package serve.
func Lab(tb testing.TB) (*lab.Lab, Option) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("machines of Azure are reached at port 22, which needs root")
	}
	l, err := lab.Open(filepath.Join(tb.TempDir(), "lab"))
	if err != nil {
		tb.Fatal(err)
	}
	owner, err := l.Own()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := l.Reset(context.Background()); err != nil {
			tb.Error(err)
		}
		owner.Close()
	})
	return l, func(o *emulator.Options) { o.Machines = machines.OfLab(l) }
}

// Site puts real machines of this computer behind virtual machines.
func Site(s *local.Site) Option {
	return func(o *emulator.Options) { o.Machines = machines.OfSite(s) }
}
