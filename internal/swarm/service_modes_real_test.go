package swarm

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Both kinds of jobs: what they ask for reads back, is changed and repaired, and
// each change runs them again. To become another mode is a replacement.
func TestServiceJobs(t *testing.T) {
	t.Parallel()
	for _, v := range engines {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, v)
			testengine.Images(r.e)
			base := args{"image": testengine.Fail, "command": list("exit", "0"), "restart": dict("condition", "none"), "no_resolve_image": true}
			job := func(name string, more args) value.Struct {
				a := args{"name": name}
				for _, m := range []args{base, more} {
					for k, v := range m {
						a[k] = v
					}
				}
				return declare(r, a)
			}
			iteration := func(name string) string {
				return r.e.Docker("service", "inspect", name, "--format", "{{.JobStatus.JobIteration.Index}}")
			}

			// Three in all, two at a time; then five, one at a time.
			r.converges("many", job("many", args{"mode": "replicated-job", "replicas": int64(3), "max_concurrent": int64(2)}))
			want := job("many", args{"mode": "replicated-job", "replicas": int64(5), "max_concurrent": int64(1)})
			if got := r.diff("many", want); got != "replicas max_concurrent" {
				r.Errorf("the plan shows %q", got)
			}
			r.converges("many", want)
			r.same("many", want, "changed")
			if status := r.e.Docker("service", "ls", "--filter", "name=many", "--format", "{{.Replicas}}"); !strings.Contains(status, "5/5 completed") {
				r.Errorf("the job is %s", status)
			}
			// As many at a time as there are, where nothing is said.
			r.converges("all", job("all", args{"mode": "replicated-job", "replicas": int64(2)}))
			r.same("all", job("all", args{"mode": "replicated-job", "replicas": int64(2), "max_concurrent": int64(2)}), "all at once")

			want = job("each", args{"mode": "global-job", "env": dict("A", "1")})
			r.converges("each", want)
			r.same("each", want, "made")
			r.e.Docker("service", "update", "--detach", "--no-resolve-image", "--env-add=A=2", "each")
			if got := r.diff("each", want); got != "env" {
				r.Errorf("by hand: the plan shows %q", got)
			}
			r.converges("each", want)
			r.same("each", want, "repaired")
			before := iteration("each")
			r.converges("each", want, func(q *resource.Request) { q.Restart = true }) // lifecycle(replace_on=)
			if got := iteration("each"); got == before {
				r.Errorf("renewed, the job did not run again: run %s", got)
			}

			for _, mode := range []string{"replicated", "global", "replicated-job"} {
				changes := ServiceSchema.Diff(job("each", args{"mode": mode}), r.live("each").Args, nil)
				if len(changes) == 0 || changes[0].Field.Name != "mode" || !changes[0].Replace {
					r.Errorf("global-job to %s shows %+v", mode, changes)
				}
			}
		})
	}
}

// Mounts of the types that a container here cannot have are kept by the swarm
// as they are asked for.
func TestServiceMountTypes(t *testing.T) {
	r := newRig(t, testengine.Docker28)
	with := func(mounts ...value.Value) value.Struct {
		return declare(r, args{"name": "web", "image": testengine.Web1, "replicas": int64(0), "no_resolve_image": true, "mounts": list(mounts...)})
	}
	pipe, group := dict("type", "npipe", "source", `\\.\pipe\docker_engine`, "target", `\\.\pipe\engine`), "type=cluster,source=group:db,target=/data"
	first := with(pipe, group, "type=tmpfs,target=/run", "type=bind,source=/etc,target=/etc,ro", "source=data,target=/v", "target=/own")
	r.apply("web", first)
	r.same("web", first, "made")
	if got := r.e.Docker("service", "inspect", "web", "--format", "{{range .Spec.TaskTemplate.ContainerSpec.Mounts}}{{.Type}}:{{.Source}} {{end}}"); !strings.Contains(got, "cluster:group:db ") || !strings.Contains(got, `npipe:\\.\pipe\docker_engine`) {
		r.Errorf("the mounts are %s", got)
	}
	next := with("type=cluster,source=disk,target=/data,readonly", pipe)
	if got := r.diff("web", next); got != "mounts" {
		r.Errorf("changed, the plan shows %q", got)
	}
	r.apply("web", next)
	r.same("web", next, "changed")
	r.e.Docker("service", "update", "--detach", "--no-resolve-image", "--mount-rm=/data", "--mount-add=type=cluster,source=group:hand,target=/data", "web")
	if got := r.diff("web", next); got != "mounts" {
		r.Errorf("by hand, the plan shows %q", got)
	}
	r.apply("web", next)
	r.same("web", next, "repaired")
}

// Generic resources are counted: what is reserved is not there for others.
func TestServiceGenericResources(t *testing.T) {
	t.Parallel()
	for _, v := range engines {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, v, testengine.Args("--node-generic-resource=gpu=2", "--node-generic-resource=disk=a", "--node-generic-resource=disk=b"))
			testengine.Images(r.e)
			with := func(name string, want *value.Map) value.Struct {
				return declare(r, args{"name": name, "image": testengine.Sleep, "stop_grace_period": "1s", "no_resolve_image": true,
					"generic_resources": want, "update": dict("monitor", "100ms")})
			}
			both, gpus := with("one", dict("gpu", int64(1), "disk", int64(2))), with("two", dict("gpu", int64(2)))
			r.converges("one", both)
			r.same("one", both, "made")
			if got := r.e.Docker("inspect", "--format", "{{.Config.Env}}", r.e.Docker("ps", "--quiet", "--filter", "name=one")); !strings.Contains(got, "DOCKER_RESOURCE_DISK=a,b") {
				r.Errorf("the task was given %s", got)
			}
			r.apply("two", gpus) // of which one is left
			for state := ""; !strings.Contains(state, "insufficient resources"); {
				state = r.e.Docker("service", "ps", "two", "--no-trunc", "--format", "{{.Error}}")
			}
			gpus = with("two", dict("gpu", int64(1)))
			if got := r.diff("two", gpus); got != "generic_resources" {
				r.Errorf("the plan shows %q", got)
			}
			r.converges("two", gpus)
			r.same("two", gpus, "changed")
		})
	}
}
