package conformance

import (
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Updates and rollbacks of services.
var updates = []testCase{
	{"a service's version", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		id := c.create(spec)
		v := c.inspect(id).Version.Index
		path := "/services/" + id + "/update"
		c.refused(400, `invalid service version '': strconv.ParseUint: parsing "": invalid syntax`, "POST", path, spec)
		c.refused(400, `invalid service version '-1': strconv.ParseUint: parsing "-1": invalid syntax`, "POST", path+"?version=-1", spec)
		c.refused(500, rpc("Unknown", "update out of sequence"), "POST", fmt.Sprintf("%s?version=%d", path, v-1), spec)
		c.ok(200, "POST", fmt.Sprintf("%s?version=%d", path, v), spec, nil)
		c.refused(500, rpc("Unknown", "update out of sequence"), "POST", fmt.Sprintf("%s?version=%d", path, v), spec)
		c.same("newer", c.inspect(id).Version.Index > v, true)
	}},
	{"an image rolls, one task at a time", func(c *scene) {
		spec := c.service("web")
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		c.same("update", c.inspect(id).UpdateStatus, nil)
		next := quick(spec)
		next.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: testengine.Web1}
		c.update(id, next)
		c.ends(id, swarm.UpdateStateCompleted, "update completed")
		for _, t := range wanted(c.becomes(id, "2 running/running, 2 shutdown/shutdown")) {
			c.same("image", t.Spec.ContainerSpec.Image, testengine.Web1)
		}
		c.same("previous", c.inspect(id).PreviousSpec.TaskTemplate.ContainerSpec.Image, testengine.Sleep)
	}},
	{"start first", func(c *scene) {
		spec := quick(c.service("web"))
		spec.UpdateConfig.Order = swarm.UpdateOrderStartFirst
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		spec.TaskTemplate.ForceUpdate = 1
		c.update(id, spec)
		c.ends(id, swarm.UpdateStateCompleted, "update completed")
		c.becomes(id, "2 running/running, 2 shutdown/shutdown")
		c.same("order", c.inspect(id).Spec.UpdateConfig.Order, "start-first")
	}},
	{"force replaces tasks that are as they shall be", func(c *scene) {
		spec := quick(scaled(c.service("web"), 1))
		id := c.create(spec)
		c.becomes(id, "1 running/running")
		spec.TaskTemplate.ForceUpdate++
		c.update(id, spec)
		c.becomes(id, "1 running/running, 1 shutdown/shutdown")
		c.ends(id, swarm.UpdateStateCompleted, "update completed")
	}},
	{"rollback without a previous spec", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		id := c.create(spec)
		c.refused(400, rpc("FailedPrecondition", "service "+id+" does not have a previous spec"), "POST", c.updatePath(id, "&rollback=previous"), spec)
		c.refused(500, "unrecognized rollback option sideways", "POST", c.updatePath(id, "&rollback=sideways"), spec)
	}},
	{"rollback goes back, and again forth", func(c *scene) {
		one := quick(scaled(c.service("web"), 1))
		id := c.create(one)
		c.becomes(id, "1 running/running")
		two := scaled(one, 2)
		two.Labels = map[string]string{"two": "1"}
		c.update(id, two)
		c.becomes(id, "2 running/running")
		c.write(id, "&rollback=previous", two)
		c.becomes(id, "1 running/running")
		c.same("replicas", c.inspect(id).Spec.Mode.Replicated.Replicas, 1)
		c.same("labels", len(c.inspect(id).Spec.Labels), 0)
		c.ends(id, swarm.UpdateStateRollbackCompleted, "rollback completed")
		c.write(id, "&rollback=previous", one)
		c.becomes(id, "2 running/running")
		c.same("labels", c.inspect(id).Spec.Labels, two.Labels)
	}},
	{"rollback restores an image", func(c *scene) {
		spec := quick(scaled(c.service("web"), 1))
		id := c.create(spec)
		c.becomes(id, "1 running/running")
		next := spec
		next.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: testengine.Web1}
		c.update(id, next)
		c.ends(id, swarm.UpdateStateCompleted, "update completed")
		c.write(id, "&rollback=previous", next)
		c.ends(id, swarm.UpdateStateRollbackCompleted, "rollback completed")
		tasks := c.becomes(id, "1 running/running, 2 shutdown/shutdown")
		c.same("image", wanted(tasks)[0].Spec.ContainerSpec.Image, testengine.Sleep)
	}},
	{"an update that fails pauses", func(c *scene) {
		spec := quick(c.service("web"))
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		bad := broken(spec, swarm.UpdateFailureActionPause)
		bad.UpdateConfig.Delay = time.Minute // before the next task
		c.update(id, bad)
		s := c.ends(id, swarm.UpdateStatePaused, "update paused due to failure or early termination of task *")
		c.same("spec stays", s.Spec.TaskTemplate.ContainerSpec.Args, []string{"exit", "3"})
		// The other task was not touched.
		kept := slices.DeleteFunc(running(c.tasks(id)), func(t swarm.Task) bool { return len(t.Spec.ContainerSpec.Args) > 0 })
		c.same("tasks of the old spec", len(kept), 1)
	}},
	{"an update that fails goes on", func(c *scene) {
		spec := quick(c.service("web"))
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		c.update(id, broken(spec, swarm.UpdateFailureActionContinue))
		c.ends(id, swarm.UpdateStateCompleted, "update completed")
		// At the update's end the service is looked at again, and its dead tasks may be made anew, and fail.
		c.wait(func() string {
			if got := c.tasks(id); len(running(got)) > 0 || len(wanted(got)) > 0 {
				return states(got)
			}
			return ""
		})
	}},
	{"an update that fails is rolled back", func(c *scene) {
		spec := quick(c.service("web"))
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		c.update(id, broken(spec, swarm.UpdateFailureActionRollback))
		s := c.ends(id, swarm.UpdateStateRollbackCompleted, "rollback completed")
		c.same("arguments", len(s.Spec.TaskTemplate.ContainerSpec.Args), 0)
		c.wait(func() string {
			if got := running(wanted(c.tasks(id))); len(got) != 2 {
				return "running: " + states(got)
			}
			return ""
		})
	}},
	{"some may fail", func(c *scene) {
		spec := quick(c.service("web"))
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		bad := broken(spec, swarm.UpdateFailureActionPause)
		bad.UpdateConfig.MaxFailureRatio = 1
		c.update(id, bad)
		c.ends(id, swarm.UpdateStateCompleted, "update completed")
	}},
	{"an image that nobody has", func(c *scene) {
		spec := quick(scaled(c.service("web"), 1))
		id := c.create(spec)
		c.becomes(id, "1 running/running")
		bad := spec
		bad.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: "swarmtest/none:1", Labels: map[string]string{"lab.pull": "missing"}}
		bad.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
		c.update(id, bad)
		c.ends(id, swarm.UpdateStatePaused, "update paused due to failure or early termination of task *")
		for _, t := range c.tasks(id) {
			if t.Status.State == swarm.TaskStateRejected {
				c.same("error", t.Status.Err, "No such image: swarmtest/none:1")
			}
		}
	}},
	{"registryAuthFrom", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		id := c.create(spec)
		c.refused(500, "unsupported registryAuthFrom value", "POST", c.updatePath(id, "&registryAuthFrom=x"), spec)
		c.refused(500, "service does not have a previous spec", "POST", c.updatePath(id, "&registryAuthFrom=previous-spec"), spec)
	}},
	{"update policies are kept", func(c *scene) {
		spec := scaled(c.service("web"), 0)
		spec.UpdateConfig = &swarm.UpdateConfig{Parallelism: 0, Delay: time.Second, FailureAction: "continue", Monitor: 2 * time.Second, MaxFailureRatio: 0.5, Order: "start-first"}
		spec.RollbackConfig = &swarm.UpdateConfig{Parallelism: 3, Delay: 2 * time.Second, FailureAction: "pause", Monitor: time.Second, MaxFailureRatio: 0.25, Order: "stop-first"}
		s := c.inspect(c.create(spec))
		c.same("update", s.Spec.UpdateConfig, spec.UpdateConfig)
		c.same("rollback", s.Spec.RollbackConfig, spec.RollbackConfig)
	}},
}

// quick makes a service's updates watch each task for a moment only.
func quick(spec swarm.ServiceSpec) swarm.ServiceSpec {
	policy := swarm.UpdateConfig{Parallelism: 1, Monitor: 500 * time.Millisecond, FailureAction: swarm.UpdateFailureActionPause, Order: swarm.UpdateOrderStopFirst}
	rollback := policy
	spec.UpdateConfig, spec.RollbackConfig = &policy, &rollback
	return spec
}

// broken is a service whose containers fail, and stay so.
func broken(spec swarm.ServiceSpec, action string) swarm.ServiceSpec {
	spec = exits(spec, 3)
	spec.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
	policy := *spec.UpdateConfig
	// Longer than a failing task lives.
	policy.FailureAction, policy.Monitor = action, 3*time.Second
	spec.UpdateConfig = &policy
	return spec
}

// ends waits until a service's update has come to an end.
func (c *scene) ends(id string, state swarm.UpdateState, message string) swarm.Service {
	c.Helper()
	var s swarm.Service
	c.wait(func() string {
		s = c.inspect(id)
		if s.UpdateStatus == nil || s.UpdateStatus.State != state {
			return fmt.Sprintf("update is %+v, want %s", s.UpdateStatus, state) + problems(c.tasks(id))
		}
		return ""
	})
	if !matches(message, s.UpdateStatus.Message) {
		c.Errorf("message of the update: got %q, want %q", s.UpdateStatus.Message, message)
	}
	return s
}
