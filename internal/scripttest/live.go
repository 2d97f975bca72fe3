package scripttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/run"
	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
)

var liveMethods = []method{
	{"tasks", `t.tasks(service=None, history=False)`, "the tasks that the lab's swarm has of a service, or of all, with the words of swarmscript ps --json: name, service, node, image, current_state, desired_state, error, exit_code, failures", (*test).tasks},
	{"service", `t.service(name)`, "one service: name, mode, image, running, desired, problems, waits, update_state", (*test).service},
	{"nodes", `t.nodes()`, "the swarm's nodes: name, role, leader, state, availability, reachability, address, engine, labels", (*test).nodes},
	{"hosts", `t.hosts()`, "the lab's machines: name, address, state", (*test).hosts},
}

// askLimit bounds one question: a machine that stands still does not answer.
const askLimit = 5 * time.Second

// state is what the lab's swarm says, asked of the manager that answered last,
// otherwise of any.
func (t *test) state(ctx context.Context) (*operate.State, error) {
	if t.manager != nil {
		if st, err := ask(ctx, t.manager); err == nil {
			return st, nil
		}
		if err := t.closeManager(); err != nil {
			return nil, err
		}
	}
	hosts, err := t.machines(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, h := range hosts {
		if h.State != "running" {
			continue
		}
		st, err := t.askOn(ctx, h.Name)
		if err == nil {
			return st, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", h.Name, err))
	}
	if len(errs) == 0 {
		return nil, errors.New("the lab has no machine that runs")
	}
	return nil, fmt.Errorf("no engine of the lab answers for a swarm: %w", errors.Join(errs...))
}

// askOn asks the engine of a machine, which is the one to be asked from now on if
// it answers.
func (t *test) askOn(ctx context.Context, host string) (*operate.State, error) {
	at, err := t.lab.Engine(ctx, host)
	if err != nil {
		return nil, err
	}
	conn, err := engine.Connect(remote.Endpoint{Host: at})
	if err != nil {
		return nil, err
	}
	st, err := ask(ctx, conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	t.manager = conn
	return st, nil
}

// ask asks one engine for all that its swarm has.
func ask(ctx context.Context, conn *engine.Conn) (*operate.State, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return (&operate.Swarm{Conn: swarmkind.NewConn(conn.Remote(), nil), All: true}).Load(ctx)
}

func (t *test) closeManager() error {
	conn := t.manager
	if t.manager = nil; conn == nil {
		return nil
	}
	return conn.Close()
}

func (t *test) tasks(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var of starlark.Value = starlark.None
	history := false
	if err := starlark.UnpackArgs("t.tasks", args, kwargs, "service?", &of, "history?", &history); err != nil {
		return nil, err
	}
	st, err := t.state(t.ctx)
	if err != nil {
		return nil, fmt.Errorf("t.tasks: %w", err)
	}
	services := st.Services
	if of != starlark.None {
		s, err := serviceIn(st, of)
		if err != nil {
			return nil, fmt.Errorf("t.tasks: %w", err)
		}
		services = []*operate.Service{s}
	}
	tasks := operate.Tasks(services, history)
	slices.SortStableFunc(tasks, byService)
	out := make([]starlark.Value, len(tasks))
	for i, row := range tasks {
		out[i] = taskValue(row)
	}
	return starlark.NewList(out), nil
}

// byService keeps the order of slots, whatever is bad about one.
func byService(a, b operate.Task) int { return cmp.Compare(a.Service, b.Service) }

func taskValue(row operate.Task) starlark.Value {
	return structOf(map[string]any{
		"name": row.Name, "service": row.Service, "node": row.Node, "image": row.Image, "current_state": row.State,
		"desired_state": row.Desired, "error": row.Error, "exit_code": row.ExitCode, "failures": row.Failures, "id": row.ID,
	})
}

// serviceIn is the service that a name, an address or a handle means.
func serviceIn(st *operate.State, of starlark.Value) (*operate.Service, error) {
	name, ok := run.AddressOf(of)
	if !ok {
		return nil, fmt.Errorf("got %s, want a service or its name", of.Type())
	}
	found, err := operate.Find([]*operate.State{st}, []string{name})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (t *test) service(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var of starlark.Value
	if err := starlark.UnpackArgs("t.service", args, kwargs, "name", &of); err != nil {
		return nil, err
	}
	st, err := t.state(t.ctx)
	if err != nil {
		return nil, fmt.Errorf("t.service: %w", err)
	}
	s, err := serviceIn(st, of)
	if err != nil {
		return nil, fmt.Errorf("t.service: %w", err)
	}
	services, _ := operate.Status([]*operate.State{{Swarm: st.Swarm, Services: []*operate.Service{s}}})
	image, update := "", ""
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil {
		image, _, _ = strings.Cut(c.Image, "@")
	}
	if s.UpdateStatus != nil {
		update = string(s.UpdateStatus.State)
	}
	row := services[0]
	return structOf(map[string]any{
		"name": row.Name, "mode": row.Mode, "running": row.Running, "desired": row.Desired, "problems": row.Problems,
		"waits": row.Waits, "image": image, "update_state": update,
	}), nil
}

func (t *test) nodes(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("t.nodes", args, kwargs); err != nil {
		return nil, err
	}
	st, err := t.state(t.ctx)
	if err != nil {
		return nil, fmt.Errorf("t.nodes: %w", err)
	}
	list := slices.Clone(st.Nodes)
	slices.SortFunc(list, func(a, b swarm.Node) int {
		return cmp.Or(strings.Compare(a.Description.Hostname, b.Description.Hostname), strings.Compare(a.ID, b.ID))
	})
	out := make([]starlark.Value, len(list))
	for i, n := range list {
		out[i] = nodeValue(n)
	}
	return starlark.NewList(out), nil
}

func nodeValue(n swarm.Node) starlark.Value {
	leader, reachability := false, ""
	if n.ManagerStatus != nil {
		leader, reachability = n.ManagerStatus.Leader, string(n.ManagerStatus.Reachability)
	}
	return structOf(map[string]any{
		"name": n.Description.Hostname, "id": n.ID, "role": string(n.Spec.Role), "leader": leader, "reachability": reachability,
		"state": string(n.Status.State), "availability": string(n.Spec.Availability), "address": n.Status.Addr,
		"engine": n.Description.Engine.EngineVersion, "labels": n.Spec.Labels,
	})
}

func (t *test) hosts(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("t.hosts", args, kwargs); err != nil {
		return nil, err
	}
	hosts, err := t.machines(t.ctx)
	if err != nil {
		return nil, fmt.Errorf("t.hosts: %w", err)
	}
	out := make([]starlark.Value, len(hosts))
	for i, h := range hosts {
		out[i] = structOf(map[string]any{"name": h.Name, "address": h.Address, "state": h.State})
	}
	return starlark.NewList(out), nil
}

// look takes down what a person wants to see of a lab when its test failed.
func (t *test) look(ctx context.Context, res *Result) {
	if t.lab == nil {
		return
	}
	res.Log = noteworthy(t.lab.Log())
	if !t.swarms {
		return
	}
	st, err := t.state(ctx)
	if err != nil {
		res.Unanswered = err.Error()
		return
	}
	res.Tasks = operate.Tasks(st.Services, true)
	_, res.Nodes = operate.Status([]*operate.State{st})
}

// noteworthy are the last lines of a log that say that something is wrong, each
// once; of a panic, where it was.
func noteworthy(log []string) []string {
	const most, frames, longest = 10, 5, 300
	var out []string
	seen := map[string]bool{}
	trace := 0
	for _, l := range log {
		low := strings.ToLower(l)
		switch {
		case isCrash(l):
			trace = frames
		case trace > 0 && strings.HasPrefix(l, "github.com/swarmscript"):
			trace--
		case !slices.ContainsFunc([]string{"error", "warn"}, func(w string) bool { return strings.Contains(low, w) }):
			continue
		}
		if k := digits().ReplaceAllString(l, ""); !seen[k] { // but for when it was said
			seen[k] = true
			out = append(out, cut(l, longest))
		}
	}
	return out[max(0, len(out)-most):]
}

// isCrash reports whether a line of a log is the first that a crash leaves.
func isCrash(line string) bool {
	return strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:")
}

var digits = pattern.Of(`[0-9]+`)

// structOf is a struct of plain values.
func structOf(fields map[string]any) starlark.Value {
	out := make(starlark.StringDict, len(fields))
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			out[name] = starlark.String(v)
		case int:
			out[name] = starlark.MakeInt(v)
		case bool:
			out[name] = starlark.Bool(v)
		case []string:
			elems := make([]starlark.Value, len(v))
			for i, s := range v {
				elems[i] = starlark.String(s)
			}
			out[name] = starlark.NewList(elems)
		case map[string]string:
			d := starlark.NewDict(len(v))
			for _, k := range sortedKeys(v) {
				_ = d.SetKey(starlark.String(k), starlark.String(v[k])) // a text as a key never fails
			}
			out[name] = d
		}
	}
	return starlarkstruct.FromStringDict(starlarkstruct.Default, out)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// shortName is a machine's name, of an address such as vm.m1 too.
func shortName(v starlark.Value) (string, error) {
	text, ok := run.AddressOf(v)
	if !ok {
		return "", fmt.Errorf("got %s, want a machine or its name", v.Type())
	}
	return strings.TrimPrefix(text, "vm."), nil
}

var errNoLab = fmt.Errorf("the test has no lab yet: t.apply() something that has a vm: %w", resource.ErrMissing)

// machines are the hosts of the test's lab.
func (t *test) machines(ctx context.Context) ([]Host, error) {
	if t.lab == nil {
		return nil, errNoLab
	}
	return t.lab.Hosts(ctx)
}
