package run

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/serve"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// The test's binary is a lab's process too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "lab" && os.Args[2] == "serve" {
		os.Exit(serve.Main(os.Args[3:]))
	}
	flag.Set("test.parallel", "8") // unless -parallel says otherwise: stories wait more than they work
	code := m.Run()
	for _, s := range shared {
		if s.engine != nil {
			if err := s.engine.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

type sharedEngine struct {
	version testengine.Version
	once    sync.Once
	engine  *testengine.Engine
	err     error
}

var shared = []*sharedEngine{{version: testengine.Debian20}, {version: testengine.Docker28}}

func (s *sharedEngine) in(t *testing.T) *testengine.Engine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("engines need root")
	}
	s.once.Do(func() {
		if s.engine, s.err = testengine.New(s.version); s.err == nil {
			e := s.engine.In(t)
			testengine.Images(e)
			e.Docker("swarm", "init", "--advertise-addr", e.Addr)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.engine.In(t)
}

// onBoth tells a story on the shared engine of each version.
func onBoth(t *testing.T, story func(f *fixture)) {
	t.Parallel()
	for _, s := range shared {
		t.Run(s.version.String(), func(t *testing.T) {
			t.Parallel()
			story(newFixture(t, s.in(t)))
		})
	}
}

// onNewest tells a story on the shared engine of the newest version.
func onNewest(t *testing.T, story func(f *fixture)) {
	t.Parallel()
	story(newFixture(t, shared[1].in(t)))
}
