package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// service is the spec of a service of two replicas that do nothing and stop at once.
func (c *scene) service(word string) swarm.ServiceSpec {
	replicas := uint64(2)
	return swarm.ServiceSpec{
		Annotations:  swarm.Annotations{Name: c.named(word)},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: testengine.Sleep}},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
	}
}

// scaled is a service with so many replicas.
func scaled(spec swarm.ServiceSpec, replicas uint64) swarm.ServiceSpec {
	spec.Mode = swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}}
	return spec
}

// exits makes a service's containers end at once with a code.
func exits(spec swarm.ServiceSpec, code int) swarm.ServiceSpec {
	container := *spec.TaskTemplate.ContainerSpec
	container.Args = []string{"exit", strconv.Itoa(code)}
	container.Labels = map[string]string{"lab.exit": strconv.Itoa(code)}
	spec.TaskTemplate.ContainerSpec = &container
	return spec
}

// restarts sets when a service's tasks are replaced, after a moment.
func restarts(spec swarm.ServiceSpec, when swarm.RestartPolicyCondition, attempts uint64) swarm.ServiceSpec {
	delay := 100 * time.Millisecond
	spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: when, Delay: &delay, MaxAttempts: &attempts}
	return spec
}

// placed binds a service to nodes by a placement constraint.
func placed(spec swarm.ServiceSpec, constraints ...string) swarm.ServiceSpec {
	spec.TaskTemplate.Placement = &swarm.Placement{Constraints: constraints}
	return spec
}

// create makes a service, which goes with the case's end, and returns its id.
func (c *scene) create(spec swarm.ServiceSpec) string {
	c.Helper()
	var created swarm.ServiceCreateResponse
	c.ok(201, "POST", "/services/create", spec, &created)
	c.Cleanup(func() { c.removeService(created.ID) })
	return created.ID
}

// removeService removes a service, if it is there, and waits until its tasks are gone.
func (c *scene) removeService(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if a, err := c.at.ask(ctx, "DELETE", "/services/"+id, nil); err != nil || a.status != 200 && a.status != 404 {
		c.Errorf("cleaning up: service %s: %v %v", id, a, err)
		return
	}
	for ctx.Err() == nil {
		// A service that is gone is no filter any more.
		var tasks []swarm.Task
		a, err := c.at.ask(ctx, "GET", "/tasks", nil)
		if err == nil && json.Unmarshal(a.body, &tasks) == nil && !slices.ContainsFunc(tasks, func(t swarm.Task) bool { return t.ServiceID == id && !c.staysForEver(t) }) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.Errorf("cleaning up: service %s still has tasks", id)
}

// staysForEver tells of a task that 20.10 forgets to remove: of a job that is gone.
func (c *scene) staysForEver(t swarm.Task) bool { return c.old() && t.JobIteration != nil }

// inspect reads a service.
func (c *scene) inspect(id string) swarm.Service {
	c.Helper()
	var s swarm.Service
	c.get("/services/"+id, &s)
	return s
}

// updatePath is the path that updates a service from the version that it has now.
func (c *scene) updatePath(id, query string) string {
	c.Helper()
	return fmt.Sprintf("/services/%s/update?version=%d%s", id, c.inspect(id).Version.Index, query)
}

// update gives a service another spec. SwarmKit writes a service too, as when an update ends, so that a version may be old
// by the time it is used: then it is read again.
func (c *scene) update(id string, spec swarm.ServiceSpec) {
	c.Helper()
	c.write(id, "", spec)
}

func (c *scene) write(id, query string, spec swarm.ServiceSpec) {
	c.Helper()
	for {
		a := c.ask("POST", c.updatePath(id, query), spec)
		if a.status == 200 {
			return
		}
		if !strings.Contains(a.message, "update out of sequence") {
			c.Fatalf("update of %s: %s", id, a)
		}
	}
}

// tasks reads the tasks of a service.
func (c *scene) tasks(id string) []swarm.Task {
	c.Helper()
	var tasks []swarm.Task
	c.get("/tasks"+filter("service", id), &tasks)
	return tasks
}

// becomes waits until a service's tasks are these, as "1 complete/shutdown, 2 running/running": how many, their state, and
// what is desired of them.
func (c *scene) becomes(id, want string) []swarm.Task {
	c.Helper()
	var tasks []swarm.Task
	c.wait(func() string {
		tasks = c.tasks(id)
		if got := states(tasks); got != want {
			return "tasks are " + got + ", want " + want + problems(tasks)
		}
		return ""
	})
	return tasks
}

func states(tasks []swarm.Task) string {
	count := map[string]int{}
	for _, t := range tasks {
		count[string(t.Status.State)+"/"+string(t.DesiredState)]++
	}
	var out []string
	for _, state := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprint(count[state], " ", state))
	}
	return strings.Join(out, ", ")
}

// problems are the errors of tasks.
func problems(tasks []swarm.Task) string {
	var out strings.Builder
	for _, t := range tasks {
		fmt.Fprintf(&out, "\n  %s %s/%s: %s %s", t.NodeID, t.Status.State, t.DesiredState, t.Status.Message, t.Status.Err)
	}
	return out.String()
}

// wanted are the tasks that shall run.
func wanted(tasks []swarm.Task) []swarm.Task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t swarm.Task) bool { return t.DesiredState != swarm.TaskStateRunning })
}

// where tells how many tasks each host has, as "mgr 1, wrk-1 2".
func (c *scene) where(tasks []swarm.Task) string {
	c.Helper()
	names := c.nodeNames()
	count := map[string]int{}
	for _, t := range tasks {
		count[names[t.NodeID]]++
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprint(name, " ", count[name]))
	}
	return strings.Join(out, ", ")
}

// nodes are the nodes of the swarm by host name.
func (c *scene) nodes() map[string]swarm.Node {
	c.Helper()
	var list []swarm.Node
	c.get("/nodes", &list)
	byName := map[string]swarm.Node{}
	for _, n := range list {
		byName[n.Description.Hostname] = n
	}
	return byName
}

func (c *scene) nodeNames() map[string]string {
	c.Helper()
	names := map[string]string{}
	for name, n := range c.nodes() {
		names[n.ID] = name
	}
	return names
}

// remove removes an object, if it is there. What a service used is free when its tasks are gone, a moment later.
func (c *scene) remove(path string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		a, err := c.at.ask(ctx, "DELETE", path, nil)
		if err == nil && (a.status < 300 || a.status == 404) {
			return
		}
		if ctx.Err() != nil {
			c.Errorf("cleaning up: %s: %v %v", path, a, err)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
