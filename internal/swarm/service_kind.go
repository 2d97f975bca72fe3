package swarm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ServiceKind is a service of a swarm.
var ServiceKind = &resource.Kind{
	Name:   "service",
	Schema: ServiceSchema,
	Out: []resource.Output{
		{Name: "id", Type: "string", Stable: true, Doc: "The service's ID."},
		{Name: "name", Type: "string", Stable: true, Arg: "name", Doc: "The service's name, by which others in its networks reach it."},
	},
	Scope:    "swarm",
	Rank:     50,
	Restarts: true,
	Check:    checkService,
	Complete: completeService,
	Effect:   serviceEffect,
	Handler:  serviceHandler{},
}

// completeService fills in what one argument takes from another, and what
// Docker's numbers cannot hold. Nested values are shared, so they are copied.
func completeService(args value.Struct) {
	r := reader{ServiceSchema, args}
	put := func(name string, v value.Value) {
		f, _ := ServiceSchema.Field(name)
		args[f.Index] = v
	}
	if r.str("mode") == "replicated-job" && !r.given("max_concurrent") {
		n := r.raw("replicas")
		if n == nil {
			n = int64(1)
		}
		put("max_concurrent", n)
	}
	if limits, ok := r.raw("ulimits").(value.List); ok && len(limits) > 0 {
		out := slices.Clone(limits)
		for i, e := range out {
			if u, ok := e.(value.Struct); ok && u[2] == nil {
				u = slices.Clone(u)
				u[2] = u[1]
				out[i] = u
			}
		}
		put("ulimits", out)
	}
	for _, name := range []string{"update", "rollback"} {
		u, ok := r.in(name)
		if !ok {
			continue
		}
		out := slices.Clone(u.args)
		ratioField, _ := u.schema.Field("max_failure_ratio")
		if x, ok := out[ratioField.Index].(float64); ok {
			out[ratioField.Index] = ratio(x)
		}
		monitor, _ := u.schema.Field("monitor")
		if out[monitor.Index] == int64(0) { // the swarm takes 0 for its default
			out[monitor.Index] = monitor.Default
		}
		put(name, out)
	}
}

// quiet are the arguments of which a change renews no task. Of constraints that
// holds for the tasks whose nodes still match; the swarm moves the others.
var quiet = []string{"labels", "replicas", "max_concurrent", "update", "rollback", "replicas_max_per_node", "constraints", "placement_prefs"}

// serviceEffect says what an update does to the tasks that run.
func serviceEffect(live *resource.Object, args value.Struct, changes []schema.Change, restart bool) string {
	r := reader{ServiceSchema, args}
	renews, moves := restart, false
	for _, c := range changes {
		renews = renews || !slices.Contains(quiet, c.Field.Name)
		moves = moves || c.Field.Name == "constraints"
	}
	if strings.HasSuffix(r.str("mode"), "-job") {
		return "the job runs again" // any update of it makes it so
	}
	switch {
	case renews:
	case moves:
		return "in place; tasks leave nodes that no longer match"
	default:
		return "in place"
	}
	tasks := r.int("replicas")
	if !r.given("replicas") {
		tasks = 1
	}
	global := strings.HasPrefix(r.str("mode"), "global")
	if tasks == 0 && !global {
		return "in place"
	}
	u, ok := r.in("update")
	if !ok {
		u.args = u.schema.Defaults()
	}
	batch := u.int("parallelism")
	if u.str("order") == "stop-first" && !global && (tasks == 1 || batch == 0 || batch >= tasks) {
		why := "one replica, stop-first"
		if tasks > 1 {
			why = "all at once, stop-first"
		}
		return "INTERRUPTED: " + why
	}
	if global {
		return fmt.Sprintf("rolling, node by node, %s", atATime(batch))
	}
	if batch == 0 || batch > tasks {
		batch = tasks
	}
	rounds := (tasks + batch - 1) / batch
	each := time.Duration(u.int("monitor"))
	total := time.Duration(rounds)*each + time.Duration(rounds-1)*time.Duration(u.int("delay"))
	return fmt.Sprintf("rolling, %s, about %s", atATime(batch), total.Round(time.Second))
}

func atATime(n int64) string {
	if n == 0 {
		return "all at once"
	}
	return fmt.Sprintf("%d at a time", n)
}
