package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// LiveOptions say what a verb of day two looks at.
type LiveOptions struct {
	Options
	// NoScript means the environment's engine and all that is in its swarm.
	NoScript bool
	// All adds what is not the project's.
	All bool
	// Cluster names one of several swarms, as swarm.main or main; "" means all.
	Cluster string
}

// Live is what a verb of day two looks at: the swarms of a script's project,
// or that of the environment's engine.
type Live struct {
	// Script is nil where there is none.
	Script *Script
	Swarms []*operate.Swarm
	// Engines are those that can be reached, for what only a container's own
	// engine can do.
	Engines []remote.Client
	// Unreachable are the scopes that did not answer, by address.
	Unreachable map[string]error

	none  error // why there is no swarm of the script
	view  *view
	bare  *engine.Conn // without a script
	close func() error
}

// Attach finds the swarms. It writes nothing. Where a script is wrong, what it
// returns has it nevertheless, for showing its lines.
func Attach(ctx context.Context, opts LiveOptions) (*Live, error) {
	l := &Live{Unreachable: map[string]error{}, close: func() error { return nil }}
	if opts.NoScript {
		return l, l.environment(ctx, opts)
	}
	s, err := Evaluate(ctx, opts.Options)
	l.Script = s
	if err != nil {
		return l, err
	}
	l.view = newView(s)
	l.view.secrets = newSecrets(opts.Options)
	l.close = l.view.close
	failed := l.view.observe(ctx)
	var names []string
	for _, addr := range slices.Sorted(maps.Keys(l.view.scopes)) {
		scope := l.view.scopes[addr]
		if scope.State.Status == plan.Unreachable || scope.State.Off {
			l.Unreachable[addr] = scope.State.Err
			continue
		}
		switch conn := scope.Conn.(type) {
		case *engine.Conn:
			l.Engines = append(l.Engines, conn)
		case *swarm.Conn:
			names = append(names, addr)
			if opts.Cluster == "" || opts.Cluster == addr || "swarm."+opts.Cluster == addr {
				l.Swarms = append(l.Swarms, &operate.Swarm{Conn: conn, Address: addr, Project: s.Program.Project, All: opts.All})
			}
		}
	}
	switch {
	case failed != nil && len(l.Swarms) == 0 && len(l.Engines) > 0:
		l.none = failed // such as a worker, whose containers can be reached nevertheless
	case failed != nil:
		return l, errors.Join(failed, l.view.close())
	case len(l.Swarms) == 0:
		l.none = l.noSwarm(opts, names)
	}
	return l, nil
}

func (l *Live) noSwarm(opts LiveOptions, names []string) error {
	switch {
	case len(names) > 0:
		return fmt.Errorf("there is no swarm %q here: there is %s", opts.Cluster, strings.Join(names, ", "))
	case len(l.Unreachable) > 0:
		for _, addr := range slices.Sorted(maps.Keys(l.Unreachable)) { // what is in it does not answer either
			if !slices.ContainsFunc(l.view.within(l.view.scopes[addr].State.Scope), func(outer string) bool { return l.Unreachable[outer] != nil }) {
				return fmt.Errorf("%s: %w", addr, l.Unreachable[addr])
			}
		}
	}
	for _, s := range l.Script.Program.Scopes {
		if s.Type == "swarm" {
			return fmt.Errorf("%s has no swarm yet: swarmscript apply makes it", l.Script.Program.Project)
		}
	}
	return fmt.Errorf("%s declares no swarm, and so no service: swarmscript plan shows what it has", l.Script.Program.Project)
}

// environment looks at the engine that the docker CLI would take. Outside a
// swarm, and on one of its workers, only that engine's containers are there.
func (l *Live) environment(ctx context.Context, opts LiveOptions) error {
	conn, err := engine.Connect(remote.Endpoint{})
	if err != nil {
		return err
	}
	l.close = conn.Close
	s, err := swarm.Read(ctx, conn.Remote())
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	l.Engines, l.bare = []remote.Client{conn}, conn
	if s.Swarm != nil {
		l.Swarms = []*operate.Swarm{{Conn: swarm.NewConn(conn.Remote(), nil), All: opts.All}}
	}
	return nil
}

// Close closes the connections.
func (l *Live) Close() error { return l.close() }

// States asks every swarm for what runs in it. It is an error where there is
// none to ask.
func (l *Live) States(ctx context.Context) ([]*operate.State, error) {
	if l.none != nil {
		return nil, l.none
	}
	if len(l.Swarms) == 0 {
		where := "the environment's engine"
		if l.bare != nil {
			where = "the engine at " + l.bare.Remote().Endpoint()
		}
		return nil, fmt.Errorf("%s manages no swarm; give a script (-f FILE), or a manager in DOCKER_HOST", where)
	}
	var out []*operate.State
	var errs []error
	for _, s := range l.Swarms {
		st, err := s.Load(ctx)
		if err != nil {
			if s.Address != "" {
				err = fmt.Errorf("%s: %w", s.Address, err)
			}
			errs = append(errs, err)
			continue
		}
		out = append(out, st)
	}
	return out, errors.Join(errs...)
}

// Project is the script's project, "" where there is no script.
func (l *Live) Project() string {
	if l.Script == nil {
		return ""
	}
	return l.Script.Program.Project
}

// Planned makes the plan of what was observed: how what is live differs from
// the script. It is nil where there is no script.
func (l *Live) Planned(ctx context.Context) (*plan.Plan, error) {
	if l.Script == nil {
		return nil, nil
	}
	p := &Planned{Script: l.Script, view: l.view}
	built, err := p.build(ctx)
	return built, err
}
