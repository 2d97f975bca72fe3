package stdlib_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/run"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// A stage is a script that is applied to a swarm of real engines.
type stage struct {
	*testing.T
	file string
}

func newStage(t *testing.T, e *testengine.Engine) *stage {
	t.Helper()
	t.Setenv("DOCKER_HOST", e.Host)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	return &stage{T: t, file: filepath.Join(t.TempDir(), "cluster.star")}
}

func (s *stage) plan(script string) *run.Planned {
	s.Helper()
	if err := os.WriteFile(s.file, []byte(script), 0o644); err != nil {
		s.Fatal(err)
	}
	p, err := run.Plan(s.Context(), run.Options{File: s.file, Timeout: 5 * time.Minute})
	if err != nil {
		s.Fatalf("plan: %v", err)
	}
	return p
}

// apply applies a script, which must go well and leave nothing to do.
func (s *stage) apply(script string) {
	s.Helper()
	began := time.Now()
	p := s.plan(script)
	defer p.Close()
	var said []string
	res, err := p.Apply(context.Background(), run.ApplyOptions{Why: "test", Sink: func(e apply.Event) {
		said = append(said, fmt.Sprint(e.Type, " ", e.Address, " ", e.Text))
	}})
	if err != nil {
		s.Fatalf("apply: %v", err)
	}
	for _, step := range res.Steps {
		if step.Err != nil {
			s.Errorf("%s: %v", step.Change.Address, step.Err)
		}
	}
	if code := res.ExitCode(); code != 0 {
		s.Fatalf("apply ended with %d:\n%s", code, strings.Join(said, "\n"))
	}
	s.Logf("applied in %s", time.Since(began).Round(time.Millisecond))
	s.settled(script)
}

// settled checks that nothing is left to do.
func (s *stage) settled(script string) {
	s.Helper()
	p := s.plan(script)
	defer p.Close()
	if !p.Plan.Empty() {
		var changes []string
		for _, c := range p.Plan.Changes {
			changes = append(changes, fmt.Sprint(c.Action.Sign(), " ", c.Address, " ", c.Reason))
		}
		s.Fatalf("the plan is not empty:\n%s", strings.Join(changes, "\n"))
	}
}

// eventually waits until a condition holds; what it says otherwise is shown.
func (s *stage) eventually(what string, is func() (bool, string)) {
	s.Helper()
	said := ""
	for began := time.Now(); time.Since(began) < 4*time.Minute; time.Sleep(time.Second) {
		var ok bool
		if ok, said = is(); ok {
			s.Logf("%s: after %s", what, time.Since(began).Round(time.Millisecond))
			return
		}
	}
	s.Fatalf("never: %s; last:\n%s", what, said)
}
