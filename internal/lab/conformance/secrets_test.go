package conformance

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/swarm"
)

// Secrets and configs are alike but for their size and for who may read them.
var (
	secrets = append(alike("secret", 500*1024), secretDriver)
	configs = alike("config", 1000*1024)
)

// A stored is a secret or config, sent or read.
type stored struct {
	ID      string        `json:",omitempty"`
	Version swarm.Version `json:",omitzero"`
	Spec    storedSpec
}

type storedSpec struct {
	Name       string
	Labels     map[string]string `json:",omitempty"`
	Data       []byte            `json:",omitempty"`
	Driver     *swarm.Driver     `json:",omitempty"`
	Templating *swarm.Driver     `json:",omitempty"`
}

func alike(kind string, limit int) []testCase {
	list := "/" + kind + "s"
	create := list + "/create"
	only := rpc("InvalidArgument", "only updates to Labels are allowed")
	return []testCase{
		{kind + " created, read, removed", func(c *scene) {
			spec := storedSpec{Name: c.named("s"), Labels: map[string]string{"a": "1"}, Data: []byte("content")}
			id := c.made(list, spec)
			shown := spec.Data
			if kind == "secret" {
				shown = nil // nobody gets it but tasks
			}
			for _, key := range []string{id, id[:10], spec.Name} {
				var s stored
				c.get(list+"/"+key, &s)
				c.same("read by "+key, s.Spec, storedSpec{Name: spec.Name, Labels: spec.Labels, Data: shown})
			}
			c.ok(204, "DELETE", list+"/"+spec.Name, nil, nil)
			c.refused(404, kind+" "+id+" not found", "GET", list+"/"+id, nil)
			c.refused(404, kind+" "+id+" not found", "DELETE", list+"/"+id, nil)
		}},
		{kind + ": a name is taken once", func(c *scene) {
			spec := storedSpec{Name: c.named("s"), Data: []byte("1")}
			c.made(list, spec)
			spec.Data = []byte("2")
			c.refused(409, rpc("AlreadyExists", kind+" "+spec.Name+" already exists"), "POST", create, spec)
		}},
		{kind + ": names that are none", func(c *scene) {
			const bad = "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]"
			for name, text := range map[string]string{"": "name must be provided", "-x": bad, "a b": bad, strings.Repeat("a", 65): bad} {
				c.refused(400, rpc("InvalidArgument", text), "POST", create, storedSpec{Name: name, Data: []byte("x")})
			}
		}},
		{kind + ": size of data", func(c *scene) {
			spec := storedSpec{Name: c.named("s")}
			text := rpc("InvalidArgument", fmt.Sprintf("%s data must be larger than 0 and less than %d bytes", kind, limit))
			c.refused(400, text, "POST", create, spec)
			spec.Data = bytes.Repeat([]byte("x"), limit)
			c.refused(400, text, "POST", create, spec)
			spec.Data = spec.Data[1:]
			c.made(list, spec)
		}},
		{kind + ": only labels can be updated", func(c *scene) {
			spec := storedSpec{Name: c.named("s"), Data: []byte("1")}
			id := c.made(list, spec)
			var s stored
			c.get(list+"/"+id, &s)
			path := fmt.Sprintf("%s/%s/update?version=%d", list, id, s.Version.Index)
			c.refused(400, only, "POST", path, storedSpec{Name: spec.Name, Data: []byte("2")})
			c.refused(400, only, "POST", path, storedSpec{Name: c.named("t"), Data: spec.Data})
			s.Spec.Labels = map[string]string{"a": "1"}
			c.ok(200, "POST", path, s.Spec, nil)
			c.refused(500, rpc("Unknown", "update out of sequence"), "POST", path, s.Spec)
			c.refused(400, "invalid "+kind+" version", "POST", list+"/"+id+"/update", s.Spec)
			var after stored
			c.get(list+"/"+id, &after)
			c.same("labels", after.Spec, s.Spec)
		}},
		{kind + " in use", func(c *scene) {
			id := c.made(list, storedSpec{Name: c.named("s"), Data: []byte("1")})
			service := c.create(scaled(c.using(kind, fileRef{id, c.named("s"), "s"}), 0))
			c.refused(400, rpc("InvalidArgument", fmt.Sprintf("%s '%s' is in use by the following service: %s", kind, c.named("s"), c.named("web"))), "DELETE", list+"/"+id, nil)
			c.removeService(service)
			c.ok(204, "DELETE", list+"/"+id, nil, nil)
		}},
		{kind + " that a service names and that is not there", func(c *scene) {
			one, two := fileRef{"0123456789abcdefghijklmno", "none", "s"}, fileRef{"0123456789abcdefghijklmnp", "neither", "t"}
			c.refused(400, rpc("InvalidArgument", kind+" not found: none"), "POST", "/services/create", c.using(kind, one))
			c.refused(400, rpc("InvalidArgument", kind+"s not found: none, neither"), "POST", "/services/create", c.using(kind, one, two))
		}},
		{kind + ": references that are none", func(c *scene) {
			for text, refs := range map[string][]fileRef{
				"malformed " + kind + " reference":                                         {{"", "s", "s"}},
				"malformed file " + kind + " reference, invalid target file name provided": {{"x", "s", ""}},
				kind + " references 'a' and 'b' have a conflicting target: 'f'":            {{"x", "a", "f"}, {"y", "b", "f"}},
			} {
				c.refused(400, rpc("InvalidArgument", text), "POST", "/services/create", c.using(kind, refs...))
			}
		}},
		{kind + ": filters", func(c *scene) {
			one := c.made(list, storedSpec{Name: c.named("one"), Labels: map[string]string{"case": c.prefix, "n": "1"}, Data: []byte("1")})
			c.made(list, storedSpec{Name: c.named("two"), Labels: map[string]string{"case": c.prefix}, Data: []byte("1")})
			c.counts(list, 2, "label", "case="+c.prefix)
			c.counts(list, 1, "label", "case="+c.prefix, "label", "n")
			c.counts(list, 0, "label", "case="+c.prefix, "label", "n=2")
			c.counts(list, 2, "name", c.prefix)
			c.counts(list, 1, "id", one[:12])
			c.refused(400, c.badFilter("color"), "GET", list+filter("color", "red"), nil)
		}},
		{kind + " that is a template", func(c *scene) {
			id := c.made(list, storedSpec{Name: c.named("s"), Data: []byte("{{.Service.Name}}"), Templating: &swarm.Driver{Name: "golang"}})
			var s stored
			c.get(list+"/"+id, &s)
			c.same("driver", s.Spec.Templating, swarm.Driver{Name: "golang"})
			c.becomes(c.create(scaled(c.using(kind, fileRef{id, c.named("s"), "name"}), 1)), "1 running/running")
		}},
	}
}

var secretDriver = testCase{"secret of a driver without a name", func(c *scene) {
	spec := storedSpec{Name: c.named("s"), Driver: &swarm.Driver{}}
	c.refused(400, rpc("InvalidArgument", "secret driver must have a name"), "POST", "/secrets/create", spec)
}}

// A fileRef is what a service says of a secret or config.
type fileRef struct{ id, name, file string }

// using is a service with secrets or configs.
func (c *scene) using(kind string, refs ...fileRef) swarm.ServiceSpec {
	spec := c.service("web")
	for _, r := range refs {
		if kind == "secret" {
			file := &swarm.SecretReferenceFileTarget{Name: r.file, UID: "0", GID: "0", Mode: 0o444}
			spec.TaskTemplate.ContainerSpec.Secrets = append(spec.TaskTemplate.ContainerSpec.Secrets, &swarm.SecretReference{SecretID: r.id, SecretName: r.name, File: file})
		} else {
			file := &swarm.ConfigReferenceFileTarget{Name: r.file, UID: "0", GID: "0", Mode: 0o444}
			spec.TaskTemplate.ContainerSpec.Configs = append(spec.TaskTemplate.ContainerSpec.Configs, &swarm.ConfigReference{ConfigID: r.id, ConfigName: r.name, File: file})
		}
	}
	return spec
}

// made creates an object of a kind, which goes with the case's end, and returns its id.
func (c *scene) made(kind string, spec any) string {
	c.Helper()
	var created struct{ ID string }
	c.ok(201, "POST", kind+"/create", spec, &created)
	c.Cleanup(func() { c.remove(kind + "/" + created.ID) })
	return created.ID
}

// counts checks how many objects a list with filters has.
func (c *scene) counts(path string, want int, pairs ...string) {
	c.Helper()
	var list []struct{}
	c.get(path+filter(pairs...), &list)
	c.same(fmt.Sprint(path, " ", pairs), len(list), want)
}

// badFilter is what is said to a filter that is not known.
func (c *scene) badFilter(name string) string {
	return c.either("Invalid filter '"+name+"'", "invalid filter '"+name+"'")
}
