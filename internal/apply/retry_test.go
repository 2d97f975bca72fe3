package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// until fails a number of times, then succeeds.
func until(n int, err error) func(context.Context, int) error {
	return func(_ context.Context, try int) error {
		if try <= n {
			return err
		}
		return nil
	}
}

func TestRetry(t *testing.T) {
	transient := fmt.Errorf("502: %w", resource.ErrTransient)
	tests := []struct {
		name   string
		action plan.Action
		call   string
		times  int // that it fails
		err    error
		want   string
		calls  string
		took   time.Duration
	}{
		{"transient", plan.Create, "create a", 3, transient, "a ok",
			"create a, create a, create a, create a", (1 + 2 + 4) * time.Second},
		{"unreachable for a moment", plan.Update, "update a", 1, resource.ErrUnreachable, "a ok", "update a, update a", time.Second},
		{"transient for ever", plan.Create, "create a", 99, transient, "a failed: 502: transient",
			strings.Repeat("create a, ", attempts-1) + "create a", (1 + 2 + 4 + 8 + 16) * time.Second},
		{"a deletion", plan.Delete, "delete a", 1, transient, "a ok", "delete a, delete a", time.Second},
		{"a conflict: observed again, without a pause", plan.Update, "update a", 2, resource.ErrConflict, "a ok",
			"update a, observe yard, update a, observe yard, update a", 0},
		{"a conflict for ever", plan.Update, "update a", 99, resource.ErrConflict, "a failed: changed by somebody else in between",
			strings.Repeat("update a, observe yard, ", attempts-1) + "update a", 0},
		{"a name that is taken for ever", plan.Create, "create a", 99, resource.ErrExists, "a failed: the name is taken",
			"create a, observe yard, create a, observe yard, create a", 0},
		{"anything else, at once", plan.Create, "create a", 99, errBroken, "a failed: broken", "create a", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inYard(t, func(t *testing.T, y *yard) {
				y.in.Backoff = time.Second
				y.step(tt.action, "a")
				y.on(tt.call, until(tt.times, tt.err))
				begun := time.Now()
				res := y.run(t.Context())
				if got := outcomes(res); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				if got := y.did("create", "update", "delete", "observe"); got != tt.calls {
					t.Errorf("did  %s\nwant %s", got, tt.calls)
				}
				if took := time.Since(begun); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
			})
		})
	}
}

// A name that was taken by our own object, made by a run that crashed, is
// found by looking again: there is nothing left to create.
func TestExistsAndIsOurs(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		c := y.step(plan.Create, "a")
		y.on("create a", func(context.Context, int) error {
			y.mu.Lock()
			defer y.mu.Unlock()
			y.live("a").Args = c.Args
			return resource.ErrExists
		})
		y.expect(y.run(t.Context()), "a ok", ExitOK)
		if got := y.did("create", "update", "delete", "observe"); got != "create a, observe yard" {
			t.Errorf("did %s", got)
		}
	})
}

// Somebody wrote in between, so that the step would now have to replace what
// the plan showed as updated: it stops.
func TestStale(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Update, "a")
		y.on("update a", func(context.Context, int) error {
			y.mu.Lock()
			defer y.mu.Unlock()
			y.objects[0].Args = value.Struct{"a", int64(0), "elsewhere"}
			return resource.ErrConflict
		})
		y.expect(y.run(t.Context()), "a failed: the plan did not show this: yard.y/box.a would be replaced", ExitStale)
		if got := y.did("delete"); got != "" {
			t.Errorf("did %s", got)
		}
	})
}

// Between the halves of a replacement somebody made the object anew, in another
// way: it is not the one that the plan showed as going.
func TestReplacesOnlyWhatWasShown(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Replace, "a")
		y.on("create a", func(context.Context, int) error {
			y.mu.Lock()
			defer y.mu.Unlock()
			o := y.live("a")
			o.ID, o.Args = "another", value.Struct{"a", int64(0), "elsewhere"}
			return resource.ErrExists
		})
		y.expect(y.run(t.Context()), "a failed: the plan did not show this: another yard.y/box.a would be replaced", ExitStale)
		if got := y.did("delete"); got != "delete a" {
			t.Errorf("did %s", got)
		}
	})
}

// keepingYard keeps a ledger too.
type keepingYard struct {
	*yard
	ledger resource.Ledger
}

func (k *keepingYard) SaveMarks(_ context.Context, _ string, change func(map[string]resource.Mark)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k.ledger.Marks)
	return nil
}

// The ledger's mark goes with its object, also where the first half of the
// replacement is made late.
func TestReplacementForgetsTheMark(t *testing.T) {
	for _, late := range []bool{false, true} {
		inYard(t, func(t *testing.T, y *yard) {
			c := y.step(plan.Replace, "a")
			if late {
				y.plan.Graph.Nodes[0].Change = nil
			}
			k := &keepingYard{yard: y, ledger: resource.Ledger{Marks: map[string]resource.Mark{c.Live.ID: c.Live.Mark}}}
			sc := y.in.Scopes[yardAddr]
			sc.Conn, sc.State.Obs.Ledger.Marks = k, map[string]resource.Mark{c.Live.ID: c.Live.Mark}
			y.expect(y.run(t.Context()), "a ok", ExitOK)
			if got := y.did("delete", "create"); got != "delete a, create a" || len(k.ledger.Marks) != 0 {
				t.Errorf("late %v: did %s, and %v is left", late, got, k.ledger.Marks)
			}
		})
	}
}

// A replacement that only an unknown value asked for deletes nothing where the
// value turns out to be the one that it has.
func TestTentativeReplacement(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"at-b", "create b"},
		{"elsewhere", "create b, delete a, create a"},
	} {
		inYard(t, func(t *testing.T, y *yard) {
			b := y.step(plan.Create, "b")
			a := y.step(plan.Replace, "a")
			a.Live.Args = value.Struct{"a", int64(1), tt.in}
			a.Tentative = true
			a.Args = value.Struct{"a", int64(1), value.Ref{Address: b.Address, Output: "addr", Type: "string"}}
			a.Decl.Args = a.Args
			y.nodes["-a"].Deps = []int{y.nodes["b"].ID}
			res := y.run(t.Context())
			y.expect(res, "b ok, a ok", ExitOK)
			got := y.did("create", "update", "delete")
			if got != tt.want {
				t.Errorf("in %s: did %s, want %s", tt.in, got, tt.want)
			}
			for _, s := range res.Steps { // what is told of a step is what it did
				if s.Change.Address == a.Address && (s.Change.Action == plan.NoOp) != (got == "create b") {
					t.Errorf("in %s: %s is told as %s", tt.in, s.Change.Address, s.Change.Action)
				}
			}
		})
	}
}

// A pause before another try ends with the run.
func TestRetryIsCancelled(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("lease lost"))
		defer cancel()
		y.in.Backoff = time.Hour
		y.step(plan.Create, "a")
		y.fails("create a", resource.ErrTransient)
		begun := time.Now()
		y.expect(y.run(ctx), "a failed: transient", ExitInterrupted)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// A scope that is looked at again stays, for whoever runs the plan, as it was
// handed over: the inventory is written while steps run.
func TestRefreshIsTheRunsOwn(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Update, "a")
		y.on("update a", until(1, resource.ErrConflict))
		before := map[string]*plan.ScopeState{}
		for addr, s := range y.in.Scopes {
			before[addr] = s.State
		}
		if got := outcomes(y.run(t.Context())); got != "a ok" || len(before) == 0 {
			t.Fatal(got, len(before))
		}
		for addr, s := range y.in.Scopes {
			if s.State != before[addr] {
				t.Errorf("%s is another one after the run", addr)
			}
		}
	})
}
