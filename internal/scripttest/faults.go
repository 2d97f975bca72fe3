package scripttest

import (
	"fmt"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/run"
)

var faultMethods = []method{
	{"kill", `t.kill(*machines)`, "cuts the power of machines", power(Kill)},
	{"stop", `t.stop(*machines)`, "shuts machines down in good order", power(Stop)},
	{"start", `t.start(*machines)`, "switches machines on", power(Start)},
	{"pause", `t.pause(*machines)`, "stops machines with all that is on them; they answer nobody", power(Pause)},
	{"resume", `t.resume(*machines)`, "lets paused machines go on", power(Resume)},
	{"restart", `t.restart(*machines)`, "restarts machines", power(Restart)},
	{"partition", `t.partition(a, b)`, "cuts all that passes between two machines, or between two lists of them", (*test).partition},
	{"heal", `t.heal()`, "joins all that was cut", (*test).heal},
	{"fault", `t.fault(service="", image="", container="", exit=None, exit_after="", oom=False, unhealthy=False, start_delay="", pull="", log="")`, "makes containers go wrong from now on, of a service, of an image, or all: as `swarmscript lab fault` does", (*test).fault},
	{"mend", `t.mend()`, "takes all faults back", (*test).mend},
}

func power(act Act) func(*test, *starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return func(t *test, thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		fn := "t." + string(act)
		if len(kwargs) > 0 || len(args) == 0 {
			return nil, fmt.Errorf("%s: want machines, or their names", fn)
		}
		names, err := t.named(starlark.NewList(args))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fn, err)
		}
		for _, name := range names {
			if err := t.lab.Act(t.ctx, act, name); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", fn, name, err)
			}
		}
		return starlark.None, t.changed()
	}
}

// changed says that what was planned or asked before says nothing any more.
func (t *test) changed() error {
	t.planned = nil
	return t.closeManager()
}

// named are the machines of the lab that one, or a list, names.
func (t *test) named(v starlark.Value) ([]string, error) {
	list, ok := v.(*starlark.List)
	if !ok {
		list = starlark.NewList([]starlark.Value{v})
	}
	hosts, err := t.machines(t.ctx)
	if err != nil {
		return nil, err
	}
	var known, out []string
	for _, h := range hosts {
		known = append(known, h.Name)
	}
	for i := range list.Len() {
		name, err := shortName(list.Index(i))
		if err != nil {
			return nil, err
		}
		if !contains(known, name) {
			return nil, &diag.Diagnostic{Summary: fmt.Sprintf("the lab has no machine %q: there is %s", name, strings.Join(known, ", ")), Hint: diag.DidYouMean(name, known)}
		}
		out = append(out, name)
	}
	return out, nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func (t *test) partition(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var a, b starlark.Value
	if err := starlark.UnpackArgs("t.partition", args, kwargs, "a", &a, "b", &b); err != nil {
		return nil, err
	}
	left, err := t.named(a)
	if err != nil {
		return nil, fmt.Errorf("t.partition: %w", err)
	}
	right, err := t.named(b)
	if err != nil {
		return nil, fmt.Errorf("t.partition: %w", err)
	}
	for _, l := range left {
		for _, r := range right {
			if l == r {
				return nil, fmt.Errorf("t.partition: %s is on both sides", l)
			}
			if err := t.lab.Partition(t.ctx, l, r); err != nil {
				return nil, fmt.Errorf("t.partition: %w", err)
			}
		}
	}
	return starlark.None, t.changed()
}

func (t *test) heal(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("t.heal", args, kwargs); err != nil {
		return nil, err
	}
	if t.lab == nil {
		return nil, fmt.Errorf("t.heal: %w", errNoLab)
	}
	if err := t.lab.Heal(t.ctx); err != nil {
		return nil, fmt.Errorf("t.heal: %w", err)
	}
	return starlark.None, t.changed()
}

func (t *test) fault(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	f := Fault{Effects: map[string]string{}}
	var service starlark.Value = starlark.String("")
	var exit, after, delay starlark.Value
	var oom, unhealthy bool
	var pull, log string
	if len(args) > 0 {
		return nil, fmt.Errorf("t.fault: unexpected argument %s: all have names, as in t.fault(service = \"web\", exit = 3)", short(args[0]))
	}
	if err := starlark.UnpackArgs("t.fault", nil, kwargs, "service?", &service, "image?", &f.Image, "container?", &f.Container, "exit??", &exit, "exit_after?", &after,
		"oom?", &oom, "unhealthy?", &unhealthy, "start_delay?", &delay, "pull?", &pull, "log?", &log); err != nil {
		return nil, err
	}
	var ok bool
	if f.Service, ok = run.AddressOf(service); !ok {
		return nil, fmt.Errorf("t.fault: for parameter service: got %s, want a service or its name", service.Type())
	}
	f.Service = strings.TrimPrefix(f.Service[strings.LastIndexByte(f.Service, '/')+1:], "service.")
	if err := f.set(exit, after, delay); err != nil {
		return nil, fmt.Errorf("t.fault: %w", err)
	}
	for _, e := range []struct {
		name, value string
		is          bool
	}{{"oom", "true", oom}, {"unhealthy", "true", unhealthy}, {"pull", pull, pull != ""}, {"log", log, log != ""}} {
		if e.is {
			f.Effects[e.name] = e.value
		}
	}
	if len(f.Effects) == 0 {
		return nil, fmt.Errorf("t.fault: it says not what goes wrong, as in t.fault(service = \"web\", exit = 3)")
	}
	if t.lab == nil {
		return nil, fmt.Errorf("t.fault: %w", errNoLab)
	}
	if err := t.lab.Fault(t.ctx, f); err != nil {
		return nil, fmt.Errorf("t.fault: %w", err)
	}
	return starlark.None, t.changed()
}

// set adds the effects that have to be checked.
func (f *Fault) set(exit, after, delay starlark.Value) error {
	if exit != nil {
		code, err := starlark.AsInt32(exit)
		if err != nil || code < 0 || code > 255 {
			return fmt.Errorf("for parameter exit: got %s, want 0 to 255", short(exit))
		}
		f.Effects["exit"] = strconv.Itoa(code)
	}
	for _, d := range []struct {
		name string
		v    starlark.Value
	}{{"exit-after", after}, {"start-delay", delay}} {
		if d.v == nil || d.v == starlark.String("") {
			continue
		}
		took, err := seconds(d.v)
		if err != nil {
			return fmt.Errorf("for parameter %s: %w", strings.ReplaceAll(d.name, "-", "_"), err)
		}
		f.Effects[d.name] = took.String()
	}
	return nil
}

func (t *test) mend(_ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("t.mend", args, kwargs); err != nil {
		return nil, err
	}
	if t.lab == nil {
		return nil, fmt.Errorf("t.mend: %w", errNoLab)
	}
	if err := t.lab.Mend(t.ctx); err != nil {
		return nil, fmt.Errorf("t.mend: %w", err)
	}
	return starlark.None, t.changed()
}
