package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// observeTimeout bounds one observation: an engine that takes longer to list
// what it has is as good as unreachable.
const observeTimeout = 60 * time.Second

// view is the scopes of a project: those that the program names, and those
// that its inventory remembers.
type view struct {
	program  *resource.Program
	root     string
	state    string                     // the folder whose .swarmscript has the inventory's copy
	absent   func(*resource.Scope) bool // scopes that are taken not to be there
	labDir   string                     // of the usual lab
	scopes   map[string]*apply.Scope
	entries  map[string]resource.ScopeEntry // of the inventory
	warnings diag.List
	forgets  []string        // scopes that the inventory shall let go of
	letGo    map[string]bool // those of them that were in it
	all      bool            // list also what nobody marks or declares
	unpassed []string        // checks, as the ledgers shall say

	secrets  *secrets
	throttle *azure.Throttle // of all that is asked of Azure
	creds    remote.Credentials
	openers  map[string]*resource.Declaration // by the scopes that they open
	written  map[value.Address]string         // where the script has the openers of scopes
	found    map[string]string                // engines of swarms that only the inventory names
	through  map[string]string                // what scopes were reached through
	avoid    map[string]bool                  // scopes that go

	mu  sync.Mutex        // held while an apply adds scopes
	ids map[string]string // of the objects that opened those
}

func newView(s *Script) *view {
	p, root := s.Program, s.root
	openers := map[string]*resource.Declaration{}
	for _, d := range p.Declarations {
		if d.Kind.Opens != "" {
			openers[string(d.Address)] = d
		}
	}
	return &view{program: p, root: root, state: cmp.Or(s.opts.State, root), absent: s.opts.Absent, labDir: cmp.Or(s.opts.Lab, lab.DefaultDir(root)),
		secrets: &secrets{}, throttle: azure.NewThrottle(), creds: remote.NewCredentials("", p.Logins...), openers: openers, scopes: map[string]*apply.Scope{}, entries: map[string]resource.ScopeEntry{}, ids: map[string]string{}, letGo: map[string]bool{}, found: map[string]string{},
		written: map[value.Address]string{}, through: map[string]string{}}
}

// observe looks at everything in stages: the outermost scopes, then those that
// resources in them open. Connections are kept from one observation to the
// next.
func (v *view) observe(ctx context.Context) error {
	v.warnings, v.avoid = nil, nil
	for _, s := range v.scopes { // what was seen before says nothing now
		v.put(s.State.Scope, s.Conn, unreachable(s.State.Scope, nil))
	}
	v.remember(readHint(v.state, v.program.Project))
	todo := slices.Clone(v.program.Scopes)
	seen := map[string]bool{}
	for _, s := range todo {
		seen[s.Address] = true
	}
	var forgotten []*resource.Scope
	recall := func() {
		for _, s := range v.forgotten(seen) {
			seen[s.Address] = true
			todo, forgotten = append(todo, s), append(forgotten, s)
		}
	}
	if len(todo) == 0 { // nothing is declared any more
		if recall(); len(todo) == 0 && v.program.Project != "" {
			v.warnings = append(v.warnings, &diag.Diagnostic{Severity: diag.Warning,
				Summary: "the script names no engine, and there is no inventory beside it: nothing was looked at"})
		}
	}
	for len(todo) > 0 {
		stage, rest := v.stage(todo, false)
		if len(stage) == 0 {
			stage, rest = v.stage(todo, true)
		}
		if len(stage) == 0 {
			break // their openers are not reachable, or do not exist
		}
		if err := v.observeAll(ctx, stage); err != nil {
			return err
		}
		todo = rest
		recall()
	}
	for _, s := range todo {
		v.put(s, nil, v.without(s))
	}
	v.doubt()
	for _, s := range forgotten {
		v.warnings = append(v.warnings, v.forget(s)...)
	}
	return nil
}

// stage splits off the scopes that can be looked at now.
func (v *view) stage(todo []*resource.Scope, last bool) (now, later []*resource.Scope) {
	for _, s := range todo {
		if !v.settle(s, last) {
			later = append(later, s)
		} else if parent := v.parent(s); s.Config != nil || parent != nil && parent.State.Obs != nil {
			now = append(now, s)
		} else {
			later = append(later, s)
		}
	}
	return now, later
}

// parent returns the scope that a scope's opener lives in, once it was looked
// at.
func (v *view) parent(s *resource.Scope) *apply.Scope {
	if d := v.opener(s); d != nil {
		return v.scopes[d.Scope]
	}
	if e, ok := v.entries[s.Address]; ok {
		return v.scopes[v.parentOf(e)]
	}
	return nil
}

func (v *view) opener(s *resource.Scope) *resource.Declaration { return v.openers[s.Address] }

func (v *view) observeAll(ctx context.Context, stage []*resource.Scope) error {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	type found struct {
		conn  resource.Conn
		state *plan.ScopeState
		err   error
	}
	results := make([]found, len(stage))
	var wg sync.WaitGroup
	for i, s := range stage {
		wg.Go(func() {
			conn, state, err := v.observeOne(ctx, s)
			results[i] = found{conn, state, err}
		})
	}
	wg.Wait()
	var errs []error
	for i, r := range results {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", stage[i].Address, r.err))
			continue
		}
		v.put(stage[i], r.conn, r.state)
		if r.state.Obs != nil {
			v.remember(r.state.Obs.Ledger.Scopes)
			for _, w := range r.state.Obs.Warnings {
				v.warnings = append(v.warnings, &diag.Diagnostic{Severity: diag.Warning, Summary: stage[i].Address + ": " + w})
			}
		}
	}
	return errors.Join(errs...)
}

// observeOne connects to a scope and observes it. A scope that does not answer
// is a state, not an error; anything else that goes wrong is one.
func (v *view) observeOne(ctx context.Context, s *resource.Scope) (resource.Conn, *plan.ScopeState, error) {
	var conn resource.Conn
	if old := v.scopes[s.Address]; old != nil {
		conn = old.Conn
	}
	if conn != nil && v.away(s) {
		if err := conn.Close(); err != nil {
			return nil, nil, err
		}
		conn = nil
	}
	made := conn == nil
	if made {
		var err error
		if conn, err = v.connect(ctx, s); err != nil {
			if !v.named(s.Address) && notReachable(err) != nil && !errors.Is(err, resource.ErrOff) {
				// Where machines cannot be made, or a context is not set up, others may.
				err = fmt.Errorf("%w, from here: %w", resource.ErrUnreachable, err)
			}
			if errors.Is(err, resource.ErrOff) {
				return nil, &plan.ScopeState{Scope: s, Status: plan.Absent, Off: true, Err: err}, nil
			}
			return nil, unreachable(s, err), notReachable(err)
		}
	}
	if conn == nil {
		return nil, &plan.ScopeState{Scope: s, Status: plan.Absent}, nil
	}
	v.reached(s)
	obs, err := v.observePatiently(ctx, conn, s)
	if err != nil {
		if notReachable(err) != nil && made {
			conn.Close() // it is not kept
		}
		return conn, unreachable(s, err), notReachable(err)
	}
	return conn, &plan.ScopeState{Scope: s, Status: plan.Present, Obs: obs}, nil
}

// observePatiently looks again at what is only changing: a manager that has just
// been demoted takes itself for one a moment longer, and cannot list its swarm.
func (v *view) observePatiently(ctx context.Context, conn resource.Conn, s *resource.Scope) (*resource.Observation, error) {
	const tries, pause = 20, 250 * time.Millisecond
	for try := 1; ; try++ {
		obs, err := conn.Observe(ctx, v.query(s))
		if try == tries || !errors.Is(err, resource.ErrTransient) || errors.Is(err, resource.ErrUnreachable) {
			return obs, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// query is what an observation of a scope is for.
func (v *view) query(s *resource.Scope) resource.Query {
	q := v.program.Query(s.Address)
	for _, k := range registry.Kinds() {
		if v.all && k.Scope == s.Type {
			q.Kinds[k.Name] = true
			for _, o := range k.Out {
				q.Outputs[o.Name] = true
			}
		}
	}
	return q
}

// unreachable is the first scope that did not answer, nil where all did.
func (v *view) unreachable() error {
	for _, addr := range slices.Sorted(maps.Keys(v.scopes)) {
		if st := v.scopes[addr].State; st.Status == plan.Unreachable {
			return fmt.Errorf("%s does not answer: %w", addr, st.Err)
		}
	}
	return nil
}

func unreachable(s *resource.Scope, err error) *plan.ScopeState {
	return &plan.ScopeState{Scope: s, Status: plan.Unreachable, Err: err}
}

// notReachable returns an error that is not about reaching the scope.
func notReachable(err error) error {
	if errors.Is(err, resource.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// connect returns the connection to a scope, nil where it does not exist.
func (v *view) connect(ctx context.Context, s *resource.Scope) (resource.Conn, error) {
	conn, err := v.open(ctx, s)
	if err == nil {
		v.useLogins(conn)
	}
	return conn, err
}

func (v *view) open(ctx context.Context, s *resource.Scope) (resource.Conn, error) {
	if v.absent != nil && v.absent(s) {
		return nil, nil
	}
	switch cfg := s.Config.(type) {
	case builtins.Engine:
		return engine.Connect(endpoint(cfg, v.root))
	case builtins.Host:
		m, err := v.secrets.machine(cfg, v.root)
		if err != nil {
			return nil, err
		}
		return host.Connect(m), nil
	case lab.Config:
		return lab.Connect(cfg.Dir(v.labDir))
	case local.Config:
		return local.Connect(cfg)
	case azure.Config:
		return azure.Connect(cfg, v.program.Project, v.throttle), nil
	}
	parent := v.parent(s)
	o, opener := v.openerObject(s, parent)
	if o == nil {
		return nil, nil
	}
	return opener.Open(ctx, parent.Conn, o)
}

// openerObject finds the live object that opens a scope.
func (v *view) openerObject(s *resource.Scope, parent *apply.Scope) (*resource.Object, resource.Opener) {
	ix := plan.NewIndex(parent.State, v.program.Project)
	ix.Move(v.program)
	if d := v.opener(s); d != nil {
		if opener, ok := d.Kind.Handler.(resource.Opener); ok {
			return ix.Live(d), opener
		}
		return nil, nil
	}
	e := v.entries[s.Address]
	for _, o := range parent.State.Obs.Objects {
		if e.ID != "" && o.ID == e.ID {
			if k := kindOf(parent, o); k != nil {
				opener, _ := k.Handler.(resource.Opener)
				return o, opener
			}
		}
	}
	return nil, nil
}

// endpoint is the engine that a script means. Files that it names are
// relative to its root, wherever it is run from.
func endpoint(e builtins.Engine, root string) remote.Endpoint {
	for _, file := range []*string{&e.CA, &e.Cert, &e.Key} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(root, *file)
		}
	}
	out := remote.Endpoint{Host: e.Host, Context: e.Context}
	if e.CA != "" || e.Cert != "" || e.SkipVerify {
		out.TLS = &remote.TLS{CA: e.CA, Cert: e.Cert, Key: e.Key, SkipVerify: e.SkipVerify}
	}
	return out
}

// put sets what is known of a scope. A connection that is not kept is closed;
// nothing depends on how that ends.
func (v *view) put(s *resource.Scope, conn resource.Conn, state *plan.ScopeState) {
	if old := v.scopes[s.Address]; old != nil && old.Conn != nil && old.Conn != conn {
		old.Conn.Close()
	}
	v.scopes[s.Address] = &apply.Scope{Conn: conn, State: state}
}

func (v *view) close() error {
	var errs []error
	for _, s := range v.scopes {
		if s.Conn != nil {
			errs = append(errs, s.Conn.Close())
		}
	}
	return errors.Join(errs...)
}
