package swarm

import (
	"slices"

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
	Spreads:  true,
	Check:    checkService,
	Complete: completeService,
	Same:     sameService,
	Effect:   serviceEffect,
	Ending:   serviceEnding,
	Handler:  serviceHandler{},
}

// sameService reports that a difference is none: what is kept is as it is.
func sameService(_ *resource.Object, _ value.Struct, change schema.Change) bool {
	return change.Field.Name == "registry_auth" && change.After == "kept"
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
