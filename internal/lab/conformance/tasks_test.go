package conformance

import (
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Tasks: what becomes of them.
var tasks = []testCase{
	{"a task is read by id, and what it tells", func(c *scene) {
		id := c.create(placed(scaled(c.service("web"), 1), "node.hostname==wrk-1"))
		listed := c.becomes(id, "1 running/running")[0]
		for _, key := range []string{listed.ID, listed.ID[:14]} {
			var t swarm.Task
			c.get("/tasks/"+key, &t)
			c.same("id", t.ID, listed.ID)
		}
		c.same("service", listed.ServiceID, id)
		c.same("message", listed.Status.Message, "started")
		c.same("container", len(listed.Status.ContainerStatus.ContainerID), 64)
		c.same("has a process", listed.Status.ContainerStatus.PID > 0, true)
		c.same("spec", listed.Spec.ContainerSpec.Image, testengine.Sleep)
		c.refused(404, "task none not found", "GET", "/tasks/none", nil)
	}},
	{"a task's container", func(c *scene) {
		spec := placed(scaled(c.service("web"), 1), "node.hostname==wrk-2")
		spec.TaskTemplate.ContainerSpec.Labels = map[string]string{"mine": "1"}
		spec.TaskTemplate.ContainerSpec.Env = []string{"NODE={{.Node.Hostname}}", "SLOT={{.Task.Slot}}"}
		spec.TaskTemplate.ContainerSpec.Hostname = "{{.Service.Name}}"
		id := c.create(spec)
		t := c.becomes(id, "1 running/running")[0]
		var got container.InspectResponse
		c.on("wrk-2").get("/containers/"+t.Status.ContainerStatus.ContainerID+"/json", &got)
		c.same("name", got.Name, "/"+spec.Name+".1."+t.ID)
		c.same("runs", got.State.Running, true)
		c.same("hostname", got.Config.Hostname, spec.Name)
		c.same("labels", got.Config.Labels, map[string]string{
			"mine": "1", "com.docker.swarm.node.id": t.NodeID, "com.docker.swarm.service.id": id, "com.docker.swarm.service.name": spec.Name,
			"com.docker.swarm.task": "", "com.docker.swarm.task.id": t.ID, "com.docker.swarm.task.name": spec.Name + ".1." + t.ID,
		})
		env := map[string]bool{}
		for _, e := range got.Config.Env {
			env[e] = true
		}
		c.same("templates", []bool{env["NODE=wrk-2"], env["SLOT=1"]}, []bool{true, true})
	}},
	{"filters of tasks", func(c *scene) {
		spec := placed(c.service("web"), "node.hostname==wrk-1")
		spec.Labels = map[string]string{"of": "service"}
		id := c.create(spec)
		t := c.becomes(id, "2 running/running")[0]
		c.counts("/tasks", 2, "service", id)
		c.counts("/tasks", 2, "service", spec.Name)
		c.counts("/tasks", 1, "id", t.ID)
		c.counts("/tasks", 2, "service", id, "node", "wrk-1")
		c.counts("/tasks", 0, "service", id, "node", "wrk-2")
		c.counts("/tasks", 2, "service", id, "desired-state", "running")
		c.counts("/tasks", 0, "service", id, "desired-state", "shutdown")
		c.counts("/tasks", 2, "service", id, "label", "of=service")
		c.counts("/tasks", 0, "service", id, "label", "of=other")
		c.counts("/tasks", 2, "name", spec.Name)
		c.refused(404, "service none not found", "GET", "/tasks"+filter("service", "none"), nil)
		c.refused(404, "node none not found", "GET", "/tasks"+filter("node", "none"), nil)
		c.refused(500, "Invalid desired-state filter: 'x'", "GET", "/tasks"+filter("desired-state", "x"), nil)
		c.refused(400, c.badFilter("color"), "GET", "/tasks"+filter("color", "red"), nil)
	}},
	{"exit codes", func(c *scene) {
		for _, code := range []int{1, 42} {
			id := c.create(restarts(exits(scaled(c.service(fmt.Sprint("code-", code)), 1), code), swarm.RestartPolicyConditionNone, 0))
			t := c.becomes(id, "1 failed/shutdown")[0]
			c.same("code", t.Status.ContainerStatus.ExitCode, code)
			c.same("error", t.Status.Err, fmt.Sprintf("task: non-zero exit (%d)", code))
		}
	}},
	{"one that ends well is complete", func(c *scene) {
		id := c.create(restarts(exits(scaled(c.service("web"), 1), 0), swarm.RestartPolicyConditionNone, 0))
		t := c.becomes(id, "1 complete/shutdown")[0]
		c.same("code", t.Status.ContainerStatus.ExitCode, 0)
		c.same("message", t.Status.Message, "finished")
	}},
	{"restarted on failure, so many times", func(c *scene) {
		id := c.create(restarts(exits(scaled(c.service("web"), 1), 5), swarm.RestartPolicyConditionOnFailure, 2))
		c.becomes(id, "3 failed/shutdown")
	}},
	{"not restarted on success", func(c *scene) {
		id := c.create(restarts(exits(scaled(c.service("web"), 1), 0), swarm.RestartPolicyConditionOnFailure, 2))
		c.becomes(id, "1 complete/shutdown")
	}},
	{"restarted whatever it said", func(c *scene) {
		id := c.create(restarts(exits(scaled(c.service("web"), 1), 0), swarm.RestartPolicyConditionAny, 1))
		c.becomes(id, "2 complete/shutdown")
	}},
	{"history keeps five of a slot", func(c *scene) {
		spec := quick(scaled(c.service("web"), 1))
		id := c.create(spec)
		c.becomes(id, "1 running/running")
		for range 5 {
			spec.TaskTemplate.ForceUpdate++
			c.update(id, spec)
			c.wait(func() string {
				if got := running(wanted(c.tasks(id))); len(got) != 1 || got[0].Spec.ForceUpdate != spec.TaskTemplate.ForceUpdate {
					return "not updated yet: " + states(c.tasks(id))
				}
				return ""
			})
		}
		c.becomes(id, "1 running/running, 4 shutdown/shutdown")
	}},
	{"history keeps all that count for a restart policy", func(c *scene) {
		id := c.create(restarts(exits(scaled(c.service("web"), 1), 1), swarm.RestartPolicyConditionAny, 5))
		c.becomes(id, "6 failed/shutdown") // five, and the first
	}},
	{"a container that is removed by hand is replaced", func(c *scene) {
		id := c.create(restarts(placed(scaled(c.service("web"), 1), "node.hostname==wrk-1"), swarm.RestartPolicyConditionAny, 0))
		t := c.becomes(id, "1 running/running")[0]
		c.on("wrk-1").ok(204, "DELETE", "/containers/"+t.Status.ContainerStatus.ContainerID+"?force=1", nil, nil)
		c.becomes(id, "1 failed/shutdown, 1 running/running")
	}},
	{"a health check decides when a task runs", func(c *scene) {
		spec := scaled(c.service("web"), 1)
		spec.TaskTemplate.ContainerSpec.Image = testengine.Health
		c.becomes(c.create(spec), "1 running/running")
	}},
	{"a task that is not healthy is stopped", func(c *scene) {
		spec := restarts(scaled(c.service("web"), 1), swarm.RestartPolicyConditionNone, 0)
		spec.TaskTemplate.ContainerSpec.Image = testengine.Health
		spec.TaskTemplate.ContainerSpec.Env = []string{"UNHEALTHY=1"}
		spec.TaskTemplate.ContainerSpec.Labels = map[string]string{"lab.unhealthy": "true"}
		// Its program ends with 0 when it is told to, which makes it one that ended well.
		t := c.becomes(c.create(spec), "1 complete/shutdown")[0]
		c.same("message", t.Status.Message, "finished")
	}},
	{"an image that nobody has", func(c *scene) {
		spec := restarts(scaled(c.service("web"), 1), swarm.RestartPolicyConditionNone, 0)
		spec.TaskTemplate.ContainerSpec.Image = "swarmtest/none:1"
		spec.TaskTemplate.ContainerSpec.Labels = map[string]string{"lab.pull": "missing"}
		t := c.becomes(c.create(spec), "1 rejected/shutdown")[0]
		c.same("error", t.Status.Err, "No such image: swarmtest/none:1")
	}},
	{"a job runs to its end", func(c *scene) {
		spec := restarts(exits(c.service("job"), 0), swarm.RestartPolicyConditionNone, 0)
		at, total := uint64(1), uint64(3)
		spec.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &at, TotalCompletions: &total}}
		id := c.create(spec)
		c.becomes(id, "3 complete/complete")
		c.same("mode", c.inspect(id).Spec.Mode, spec.Mode)
		c.same("iteration", c.inspect(id).JobStatus.JobIteration.Index, 0)
		var list []swarm.Service
		c.get("/services"+filter("id", id)+"&status=true", &list)
		c.same("status", list[0].ServiceStatus, swarm.ServiceStatus{DesiredTasks: 1, CompletedTasks: 3})
		spec.TaskTemplate.ForceUpdate++
		c.update(id, spec)
		c.wait(func() string {
			if got := c.inspect(id).JobStatus.JobIteration.Index; got != 1 {
				return fmt.Sprint("iteration ", got)
			}
			return ""
		})
	}},
	{"a global job runs once on every node", func(c *scene) {
		spec := restarts(exits(c.service("job"), 0), swarm.RestartPolicyConditionNone, 0)
		spec.Mode = swarm.ServiceMode{GlobalJob: &swarm.GlobalJob{}}
		c.same("where", c.where(c.becomes(c.create(spec), "3 complete/complete")), "mgr 1, wrk-1 1, wrk-2 1")
	}},
	{"a job that fails is tried again", func(c *scene) {
		spec := restarts(exits(c.service("job"), 1), swarm.RestartPolicyConditionOnFailure, 1)
		one := uint64(1)
		spec.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &one, TotalCompletions: &one}}
		c.becomes(c.create(spec), "2 failed/shutdown")
	}},
	{"what jobs cannot have", func(c *scene) {
		spec := c.service("job")
		one := uint64(1)
		spec.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &one, TotalCompletions: &one}}
		spec.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, Monitor: time.Second}
		c.refused(400, rpc("InvalidArgument", "Jobs may not have an update config"), "POST", "/services/create", spec)
	}},
	{"a stopped task is not one of a removed service", func(c *scene) {
		id := c.create(c.service("web"))
		c.becomes(id, "2 running/running")
		c.removeService(id)
		c.refused(404, "service "+id+" not found", "GET", "/tasks"+filter("service", id), nil)
	}},
}
