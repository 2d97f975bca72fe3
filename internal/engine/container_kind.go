package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// ContainerKind is a container of one engine.
var ContainerKind = &resource.Kind{
	Name:   "container",
	Schema: containerSchema,
	Out: []resource.Output{
		{Name: "id", Type: "string", Stable: true, Doc: "The container's ID."},
		{Name: "name", Type: "string", Stable: true, Arg: "name", Doc: "The container's name, by which others in its networks reach it."},
		{Name: "namespace", Type: "string", Stable: true, Doc: "container:NAME, as network, pid and ipc of other containers take it."},
		{Name: "ip_address", Type: "string", Doc: "Its IPv4 address in the first of its networks; empty while it does not run."},
		{Name: "ip_addresses", Type: "map of string", Doc: "Its IPv4 addresses, by network."},
		{Name: "ip6_addresses", Type: "map of string", Doc: "Its IPv6 addresses, by network."},
		{Name: "published", Type: "map of string", Doc: "Where its ports are published, as {\"80/tcp\": \"0.0.0.0:8080\"}."},
	},
	Scope:     "engine",
	Rank:      40,
	MarkFixed: true,
	Keyless:   true,
	Renames:   true,
	Together:  true,
	Check:     checkContainer,
	Complete:  completeContainer,
	Replaces:  replacesContainer,
	Effect:    containerEffect,
	Ending:    containerEnding,
	Handler:   containerHandler{},
}

// containerFields gives access to arguments by name.
func containerFields(args value.Struct) (get func(string) value.Value, set func(string, value.Value)) {
	at := func(name string) int {
		f, ok := containerSchema.Field(name)
		if !ok {
			panic("engine: no field " + name)
		}
		return f.Index
	}
	return func(name string) value.Value { return value.Reveal(args[at(name)]) },
		func(name string, v value.Value) { args[at(name)] = v }
}

// completeContainer fills in the network that Docker takes where none is said,
// the hard limit that a soft one stands for, and one of the two words for no
// limit of processes. It drops an alias that is the host name: a container has
// that name anyway.
func completeContainer(args value.Struct) {
	get, set := containerFields(args)
	networks, _ := containerSchema.Field("networks")
	if l, ok := get("networks").(value.List); (ok || get("networks") == nil) && len(l) == 0 && (get("network") == nil || get("network") == "") {
		set("networks", value.List{networks.Type.Elem.Struct.Encode(swarm.Attachment{Network: "bridge"})})
	}
	if get("pids_limit") == int64(-1) {
		set("pids_limit", int64(0))
	}
	edit := func(list string, change func(s *schema.Struct, e value.Struct)) {
		l, ok := get(list).(value.List)
		if !ok || len(l) == 0 {
			return
		}
		f, _ := containerSchema.Field(list)
		out := slices.Clone(l)
		for i, e := range out {
			if s, ok := e.(value.Struct); ok {
				s = slices.Clone(s)
				change(f.Type.Elem.Struct, s)
				out[i] = s
			}
		}
		set(list, out)
	}
	edit("networks", func(s *schema.Struct, e value.Struct) {
		f, _ := s.Field("aliases")
		if l, ok := e[f.Index].(value.List); ok && get("hostname") != nil {
			e[f.Index] = slices.DeleteFunc(slices.Clone(l), func(v value.Value) bool { return value.Equal(v, get("hostname")) })
		}
	})
	edit("ulimits", func(s *schema.Struct, e value.Struct) {
		soft, _ := s.Field("soft")
		if hard, _ := s.Field("hard"); e[hard.Index] == nil {
			e[hard.Index] = e[soft.Index]
		}
	})
}

// updatable are the arguments that `docker update` changes. It takes zero for
// "as it is", so a limit is taken away by making the container anew; pids_limit
// and restart can be set to nothing.
var updatable = []string{
	"cpus", "cpu_shares", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpuset_cpus", "cpuset_mems",
	"memory", "memory_reservation", "memory_swap", "blkio_weight",
}

// replacesContainer reports whether a change that Docker could make in place
// in general needs a new container here.
func replacesContainer(live *resource.Object, args value.Struct, c schema.Change) bool {
	get, _ := containerFields(args)
	was, _ := containerFields(live.Args)
	limit := func(get func(string) value.Value, name string) bool { n, _ := get(name).(int64); return n != 0 }
	name := c.Field.Name
	switch {
	case slices.Contains(updatable, name) && !c.Unknown && c.Field.Type.Same(c.After, c.Field.Default):
		return true
	case name == "memory_swap": // whether it was given is in a label
		return !limit(was, name) || !limit(get, name)
	case name == "cpus":
		return limit(was, "cpu_period") || limit(was, "cpu_quota")
	case name == "cpu_period", name == "cpu_quota":
		return limit(was, "cpus")
	case name == "networks": // links belong to one of the attachments
		links, _ := get("links").(value.List)
		return len(links) > 0
	case name == "state": // a label says which containers run to an end
		c, ok := live.Native.(*liveContainer)
		return !ok || c.given.has("state:"+stateCompleted) != (get(name) == stateCompleted)
	}
	return false
}

// containerEffect says what an update does to what runs.
func containerEffect(live *resource.Object, args value.Struct, changes []schema.Change, restart bool) string {
	var out []string
	if restart {
		out = append(out, "it is restarted")
	}
	for _, c := range changes {
		switch c.Field.Name {
		case "state":
			c, _ := live.Native.(*liveContainer)
			switch get, _ := containerFields(args); {
			case get("state") == stateStopped:
				out = append(out, "it is stopped")
			case c != nil && c.inspect.State.Paused:
				out = append(out, "it goes on: it is paused")
			case c != nil:
				out = append(out, "it is started: "+endText(c.inspect.State))
			}
		case "networks":
			if !slices.Contains(out, "its networks change while it runs") {
				out = append(out, "its networks change while it runs")
			}
		}
	}
	if out == nil {
		return "in place"
	}
	return strings.Join(out, "; ")
}

// containerEnding says what its end does to what runs.
func containerEnding(live *resource.Object, anew bool) string {
	c, ok := live.Native.(*liveContainer)
	switch {
	case !ok || !c.inspect.State.Running:
		return ""
	case anew:
		return resource.Interrupted + ": stopped, then made anew"
	}
	return "it stops"
}

// checkContainer finds what Docker would refuse, or understand otherwise.
func checkContainer(args value.Struct) schema.Problems {
	ps := swarm.CheckContainer(containerSchema, args)
	add := func(path, format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, a...)})
	}
	var s ContainerSpec
	if err := containerSchema.Decode(known(args), &s); err != nil {
		add("", "%v", err)
	}
	for _, check := range []func(*ContainerSpec, func(path, format string, a ...any)){
		checkIdentity, checkState, checkNetworks, checkPorts, checkLimits,
	} {
		check(&s, add)
	}
	return containerSchema.HideSecrets(args, ps)
}

// known returns arguments without what waits for a step.
func known(args value.Struct) value.Struct {
	out := slices.Clone(args)
	for i, v := range out {
		out[i] = knownPart(v)
	}
	return out
}

func knownPart(v value.Value) value.Value {
	if value.Known(v) {
		return v
	}
	switch x := value.Reveal(v).(type) {
	case value.Struct:
		return known(x)
	case value.List:
		out := make(value.List, len(x))
		for i, e := range x {
			out[i] = knownPart(e)
		}
		return out
	case *value.Map:
		entries := slices.Clone(x.Entries)
		for i, e := range entries {
			entries[i].Value = knownPart(e.Value)
		}
		return &value.Map{Entries: entries}
	}
	return nil
}
