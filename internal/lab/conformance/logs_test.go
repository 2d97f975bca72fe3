package conformance

import (
	"bytes"
	"context"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

const line = "swarmtest: version 1 listens on :8080"

// Logs of services and tasks, by way of the managers.
var logs = []testCase{
	{"logs of a service, of all its tasks", func(c *scene) {
		spec := c.talker(2)
		id := c.create(spec)
		c.becomes(id, "2 running/running")
		c.wait(func() string {
			if got := c.log("/services/"+id+"/logs?stdout=1&stderr=1", false); strings.Count(got, line) != 2 {
				return got
			}
			return ""
		})
		got := c.log("/services/"+spec.Name+"/logs?stdout=1&stderr=1&details=1", false)
		for _, key := range []string{"com.docker.swarm.node.id=", "com.docker.swarm.service.id=" + id, "com.docker.swarm.task.id="} {
			if strings.Count(got, key) != 2 {
				c.Errorf("no %s in %s", key, got)
			}
		}
		c.same("only stderr", c.log("/services/"+id+"/logs?stderr=1", false), "")
	}},
	{"logs of a task", func(c *scene) {
		t := c.becomes(c.create(c.talker(1)), "1 running/running")[0]
		c.wait(func() string {
			if got := c.log("/tasks/"+t.ID+"/logs?stdout=1", false); got != line+"\n" {
				return got
			}
			return ""
		})
		c.refused(404, "task none not found", "GET", "/tasks/none/logs?stdout=1", nil)
	}},
	{"logs of a terminal are not multiplexed", func(c *scene) {
		spec := c.talker(1)
		spec.TaskTemplate.ContainerSpec.TTY = true
		id := c.create(spec)
		c.becomes(id, "1 running/running")
		c.wait(func() string {
			if got := c.log("/services/"+id+"/logs?stdout=1", true); got != line+"\r\n" {
				return got
			}
			return ""
		})
	}},
	{"logs of the last lines, with times", func(c *scene) {
		id := c.create(c.talker(1))
		c.becomes(id, "1 running/running")
		c.wait(func() string {
			if got := c.log("/services/"+id+"/logs?stdout=1&timestamps=1&tail=1", false); !matches("20??-*T*Z "+line+"\n", strings.Replace(got, got[min(2, len(got)):min(4, len(got))], "??", 1)) {
				return got
			}
			return ""
		})
		c.same("none", c.log("/services/"+id+"/logs?stdout=1&tail=0", false), "")
	}},
	{"logs of no stream", func(c *scene) {
		id := c.create(scaled(c.service("web"), 0))
		c.refused(c.code(500, 500), "Bad parameters: you must choose at least one stream", "GET", "/services/"+id+"/logs", nil)
	}},
	{"logs that the Go client follows", func(c *scene) {
		id := c.create(c.talker(1))
		ctx, cancel := context.WithTimeout(c.Context(), patience)
		defer cancel()
		r, err := c.at.api.ServiceLogs(ctx, id, container.LogsOptions{ShowStdout: true, Follow: true})
		if err != nil {
			c.Fatal(err)
		}
		defer r.Close()
		var out lineWriter
		stdcopy.StdCopy(&out, &out, r)
		c.same("line", out.String(), line+"\n")
	}},
}

// talker is a service that prints a line.
func (c *scene) talker(replicas uint64) swarm.ServiceSpec {
	spec := scaled(c.service("web"), replicas)
	spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: testengine.Web1, Labels: map[string]string{"lab.log": line}}
	return spec
}

// log reads a log that ends.
func (c *scene) log(path string, tty bool) string {
	c.Helper()
	a := c.ask("GET", path, nil)
	if a.status != 200 {
		c.Fatalf("%s: %s", path, a)
	}
	if tty {
		return string(a.body)
	}
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, bytes.NewReader(a.body)); err != nil {
		c.Fatalf("%s: %v in %q", path, err, a.body)
	}
	return out.String()
}

// A lineWriter takes one line, and then refuses: that ends a copy.
type lineWriter struct{ strings.Builder }

func (w *lineWriter) Write(p []byte) (int, error) {
	w.Builder.Write(p)
	if strings.HasSuffix(w.String(), "\n") {
		return 0, errEnough
	}
	return len(p), nil
}
