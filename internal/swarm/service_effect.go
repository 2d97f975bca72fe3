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

// quiet are the arguments of which a change renews no task. Of constraints that
// holds for the tasks whose nodes still match; the swarm moves the others.
var quiet = []string{"labels", "replicas", "max_concurrent", "update", "rollback", "replicas_max_per_node", "constraints", "placement_prefs", "registry_auth"}

// renews reports whether an update makes every task anew.
func renews(list []schema.Change, restart bool) bool {
	return restart || slices.ContainsFunc(list, func(c schema.Change) bool { return !slices.Contains(quiet, c.Field.Name) })
}

// changes reports whether one of the named arguments is among the differences.
func changes(list []schema.Change, names ...string) bool {
	return slices.ContainsFunc(list, func(c schema.Change) bool { return slices.Contains(names, c.Field.Name) })
}

// switchTime is about how long a task takes to stop and its successor to run,
// where the image is on the node and the program stops when it is told to.
const switchTime = 2 * time.Second

// defaultHealthInterval is the engine's.
const defaultHealthInterval = 30 * time.Second

// serviceEffect says what an update does to the tasks that run.
func serviceEffect(live *resource.Object, args value.Struct, list []schema.Change, restart bool) string {
	text := updateEffect(live, args, list, restart)
	if live.Aside != "" && changes(list, "image") {
		text += "; " + live.Aside
	}
	return text
}

func updateEffect(live *resource.Object, args value.Struct, list []schema.Change, restart bool) string {
	e := newRollout(live, args)
	switch {
	case e.job:
		return "the job runs again" // any update of it makes it so
	case e.want == 0 && e.before > 0:
		return strings.TrimSuffix(resource.Interrupted+": scaled to 0; "+stops(e.now), "; ")
	case e.before == 0 || !renews(list, restart):
		return e.inPlace(list)
	}
	return e.rolling()
}

// serviceEnding says what the end of a service does to the tasks that run.
func serviceEnding(live *resource.Object, anew bool) string {
	e := newRollout(live, live.Args)
	switch {
	case e.job && anew:
		return "the job runs again"
	case e.job || e.now == 0:
		return ""
	case anew:
		return resource.Interrupted + " about " + resource.About(e.down()) + ": deleted, then made anew"
	}
	return stops(e.now)
}

// stops says that tasks stop, "" where none runs.
func stops(tasks int64) string {
	switch tasks {
	case 0:
		return ""
	case 1:
		return "its task stops"
	}
	return fmt.Sprintf("its %d tasks stop", tasks)
}

// rollout is an update, as far as what runs is concerned. Of a global service,
// the tasks are as many as the nodes.
type rollout struct {
	job, global, startFirst bool
	before, want            int64 // tasks that were asked for, and that will be
	now                     int64 // tasks that run
	parallelism             int64
	delay, monitor, health  time.Duration
	hostPorts               []string
}

func newRollout(object *resource.Object, args value.Struct) rollout {
	live, r := reader{ServiceSchema, object.Args}, reader{ServiceSchema, args}
	mode := r.str("mode")
	e := rollout{
		job: strings.HasSuffix(mode, "-job"), global: strings.HasPrefix(mode, "global"),
		before: live.orDefault("replicas"), want: r.orDefault("replicas"),
	}
	e.now = e.before
	if svc := nativeService(object); svc != nil && svc.ServiceStatus != nil {
		e.now = int64(svc.ServiceStatus.RunningTasks)
	}
	if e.global {
		e.before, e.want = e.now, e.now
	}
	u, ok := r.in("update")
	if !ok {
		u.args = u.schema.Defaults()
	}
	e.startFirst, e.parallelism = u.str("order") == "start-first", u.orDefault("parallelism")
	e.delay, e.monitor = time.Duration(u.int("delay")), time.Duration(u.orDefault("monitor"))
	if h, ok := r.in("healthcheck"); ok && !h.bool("disable") && (h.given("cmd") || h.int("interval") > 0) {
		e.health = time.Duration(h.int("interval"))
		if h.int("start_period") > 0 && h.int("start_interval") > 0 {
			e.health = time.Duration(h.int("start_interval"))
		}
		if e.health == 0 {
			e.health = defaultHealthInterval
		}
	}
	for _, p := range r.each("ports") {
		if p.str("mode") == "host" && p.int("published") > 0 {
			e.hostPorts = append(e.hostPorts, fmt.Sprint(p.int("published")))
		}
	}
	return e
}

// down is about how long a task is not there that stops before its successor
// starts.
func (e rollout) down() time.Duration { return switchTime + e.health }

func (e rollout) inPlace(list []schema.Change) string {
	text := "nothing restarts"
	if more := e.want - e.before; more > 0 {
		text = "in place, " + tasks(more) + " more"
	} else if more < 0 {
		text = "in place, " + tasks(-more) + " fewer"
	}
	if e.before > 0 && changes(list, "constraints") {
		text = strings.Replace(text, "nothing restarts", "in place", 1) + "; tasks leave nodes that no longer match"
	}
	return text
}

func tasks(n int64) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}

// rolling describes an update that renews the tasks: in batches, each worker of
// the swarm's going on when its new task runs and the delay is over, and all
// watched in the end.
func (e rollout) rolling() string {
	renewed := min(e.before, e.want)
	if e.now == 0 {
		return "its tasks are renewed; none runs now"
	}
	batch := e.parallelism
	if batch == 0 || batch > renewed {
		batch = renewed
	}
	if !e.startFirst && batch >= renewed {
		return fmt.Sprintf("%s about %s: %s, stop-first", resource.Interrupted, resource.About(e.down()), e.all(renewed))
	}
	watch := e.monitor
	if e.delay >= watch {
		watch = e.delay + time.Second
	}
	rounds := time.Duration((renewed + batch - 1) / batch)
	return fmt.Sprintf("rolling, %d at a time, about %s, %s", batch, resource.About(rounds*(e.down()+e.delay)+watch), e.availability())
}

// all says that what runs stops at one time.
func (e rollout) all(renewed int64) string {
	what := "replica"
	if e.global {
		what = "node"
	}
	switch {
	case renewed > 1:
		return fmt.Sprintf("all %d %ss at once", renewed, what)
	case e.before > 1 && !e.global:
		return "one replica is left"
	}
	return "one " + what
}

// availability says whether there is always a task.
func (e rollout) availability() string {
	ports := "host port " + strings.Join(e.hostPorts, ", ")
	if len(e.hostPorts) > 1 {
		ports = strings.Replace(ports, "port", "ports", 1)
	}
	switch {
	case len(e.hostPorts) == 0:
		return "no interruption"
	case e.startFirst:
		return "no interruption; " + ports + " moves to nodes where it is free"
	}
	return "no interruption but of each node's " + ports + " in turn"
}
