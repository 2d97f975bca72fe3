package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Act is a change of a service by a person's word: it is in no script.
type Act struct {
	Service *Service
	// Live is the service as it is, Args what its arguments will be.
	Live *resource.Object
	Args value.Struct
	// Fields are the differences.
	Fields []schema.Change
	Reason string
	Effect string
	// Interrupts is set where what runs is stopped or renewed.
	Interrupts bool

	spec     swarm.ServiceSpec
	rollback bool
}

// ErrNothing says that an act would change nothing; its text says why.
type ErrNothing struct{ Why string }

// Error says why there is nothing to do.
func (e *ErrNothing) Error() string { return e.Why }

func begin(ctx context.Context, s *Service) (a *Act, before *resource.Object, err error) {
	now, before, err := s.State.Swarm.Conn.Object(ctx, s.ID)
	if err != nil {
		return nil, nil, err
	}
	live, ok := now.Native.(*swarm.Service)
	if !ok {
		return nil, nil, fmt.Errorf("%s was not observed as a service", s.Spec.Name)
	}
	return &Act{Service: s, Live: now, Args: now.Args, spec: live.Spec}, before, nil
}

func (a *Act) effect(args value.Struct, restart bool) string {
	return swarmkind.ServiceKind.Effect(a.Live, args, a.Fields, restart)
}

// Rollback makes the act that brings a service back to what it was before its
// last update.
func Rollback(ctx context.Context, s *Service) (*Act, error) {
	a, before, err := begin(ctx, s)
	if err != nil {
		return nil, err
	}
	if before == nil {
		return nil, fmt.Errorf("%s has no previous version: it has not been updated since it was made", s.Spec.Name)
	}
	a.rollback, a.Args, a.Interrupts = true, before.Args, true
	a.Fields = swarmkind.ServiceSchema.Diff(before.Args, a.Live.Args, nil)
	a.Reason = "back to its previous version"
	// It rolls as the rollback policy says.
	args := slices.Clone(before.Args)
	update, _ := swarmkind.ServiceSchema.Field("update")
	back, _ := swarmkind.ServiceSchema.Field("rollback")
	args[update.Index] = args[back.Index]
	renews := len(a.Fields) == 0 // then the tasks' spec may still differ in what is no argument
	a.Effect = a.effect(args, renews)
	return a, nil
}

// Scale makes the act that gives a service another number of tasks.
func Scale(ctx context.Context, s *Service, n uint64) (*Act, error) {
	switch mode := modeOf(s.Spec.Mode); mode {
	case "replicated":
	case "global":
		return nil, fmt.Errorf("%s cannot be scaled: it is global, one task on each node that fits", s.Spec.Name)
	default:
		return nil, fmt.Errorf("%s cannot be scaled: it is a job (%s), and any change of a job makes it run again", s.Spec.Name, mode)
	}
	a, _, err := begin(ctx, s)
	if err != nil {
		return nil, err
	}
	was := uint64(1)
	if r := a.spec.Mode.Replicated.Replicas; r != nil {
		was = *r
	}
	if was == n {
		return nil, &ErrNothing{fmt.Sprintf("%s has %d replicas already", s.Spec.Name, n)}
	}
	mode := *a.spec.Mode.Replicated
	mode.Replicas = &n
	a.spec.Mode.Replicated = &mode
	replicas, _ := swarmkind.ServiceSchema.Field("replicas")
	a.Args = slices.Clone(a.Args)
	a.Args[replicas.Index] = int64(n)
	a.Fields = swarmkind.ServiceSchema.Diff(a.Args, a.Live.Args, nil)
	a.Interrupts = n < was
	a.Effect = a.effect(a.Args, false)
	return a, nil
}

// Rebalance makes the act that spreads the tasks of a service anew. The swarm
// has no way to move a task: all of them are started anew, as the update policy
// says.
func Rebalance(ctx context.Context, s *Service) (*Act, error) {
	if mode := modeOf(s.Spec.Mode); mode != "replicated" {
		return nil, &ErrNothing{fmt.Sprintf("%s is %s: there is nothing to rebalance", s.Spec.Name, mode)}
	}
	spread := SpreadOf(&s.Spec, s.Tasks, s.State.Nodes)
	if spread.Moves == 0 && spread.Away == 0 {
		return nil, &ErrNothing{fmt.Sprintf("%s is spread evenly: %s", s.Spec.Name, spread)}
	}
	if len(spread.Nodes) == 0 {
		return nil, fmt.Errorf("%s: no node fits its constraints, so there is nowhere to move tasks", s.Spec.Name)
	}
	a, _, err := begin(ctx, s)
	if err != nil {
		return nil, err
	}
	a.spec.TaskTemplate.ForceUpdate++
	a.Interrupts = true
	moves := spread.Moves + spread.Away
	a.Effect = a.effect(a.Args, true)
	a.Reason = fmt.Sprintf("all tasks start anew so that %d can move: %s", moves, spread)
	return a, nil
}

// Do writes the change and waits until the service has converged, or says why
// it has not. With detach it does not wait.
func (a *Act) Do(ctx context.Context, detach bool, progress func(resource.Progress)) error {
	c := a.Service.State.Swarm.Conn
	live, _ := a.Live.Native.(*swarm.Service)
	warnings, err := c.WriteSpec(ctx, live, a.spec, a.rollback)
	if errors.Is(err, resource.ErrConflict) {
		return fmt.Errorf("%s was changed by somebody else in between: look again, then repeat it (%w)", a.Service.Spec.Name, err)
	}
	if err != nil {
		return err
	}
	for _, w := range warnings {
		progress(resource.Progress{Text: "warning: " + w})
	}
	if detach {
		return nil
	}
	next := *live
	next.Spec, next.PreviousSpec, next.UpdateStatus = a.spec, &live.Spec, nil
	r := &resource.Request{Address: a.Service.Address(), Args: a.Args, Mark: a.Live.Mark, Live: a.Live, Progress: progress}
	return c.Await(ctx, r, &resource.Object{Kind: "service", ID: live.ID, Name: live.Spec.Name, Args: a.Args, Native: &next}, a.rollback)
}
