package compose

import (
	"fmt"
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// converter turns a loaded project into the parts of a stack.
type converter struct {
	in       *input
	project  *types.Project
	stack    *Stack
	problems diag.List
}

func (c *converter) warn(list ...*diag.Diagnostic) {
	c.stack.Warnings = append(c.stack.Warnings, list...)
}

// fail reports a mistake at a key of the files.
func (c *converter) fail(keys []string, hint, format string, args ...any) {
	c.problems = append(c.problems, &diag.Diagnostic{Pos: c.in.at(keys...), Summary: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *converter) convert() {
	c.networks()
	c.contents()
	for _, key := range sorted(c.project.Services) {
		c.service(key, c.project.Services[key])
	}
	c.share()
	c.unsupported()
}

// part adds an object. Of what its spec says, that which is said by silence is
// left out.
func (c *converter) part(kind *resource.Kind, section, key, name string, spec any) *Part {
	args := said(kind.Schema, spec)
	if f := kind.Schema.NameField(); f != nil {
		args[f.Index] = name
	}
	p := &Part{Kind: kind, Key: key, Name: name, Args: args, Pos: c.in.at(section, key)}
	if !p.Pos.IsValid() || section == "networks" && !c.declares(section, key) {
		p.Pos = c.in.at("services")
	}
	p.args = c.in.argsAt(section, key)
	c.stack.Parts = append(c.stack.Parts, p)
	return p
}

func (c *converter) declares(keys ...string) bool {
	_, ok := c.in.has(keys...)
	return ok
}

// external adds an object that is somebody else's.
func (c *converter) external(kind *resource.Kind, section, key, name string) {
	args := make(value.Struct, len(kind.Schema.Fields()))
	if f := kind.Schema.NameField(); f != nil {
		args[f.Index] = name
	}
	c.stack.Parts = append(c.stack.Parts, &Part{
		Kind: kind, Key: key, Name: name, External: true, Args: args, Pos: c.in.at(section, key),
	})
}

// said are the arguments of a spec that silence would not say.
func said(s *schema.Struct, spec any) value.Struct { return saidIn(s, s.Encode(spec)) }

func saidIn(s *schema.Struct, args value.Struct) value.Struct {
	args = slices.Clone(args)
	for _, f := range s.Fields() {
		switch v := args[f.Index]; {
		case v == nil:
		case f.Default != nil && f.Type.Same(v, f.Default), nothing(v) && !f.Secret, f.Local && v == false:
			args[f.Index] = nil
		default:
			args[f.Index] = saidOf(f.Type, v)
		}
	}
	return args
}

// saidOf leaves out what silence says within structs.
func saidOf(t *schema.Type, v value.Value) value.Value {
	switch v := v.(type) {
	case value.Struct:
		return saidIn(t.Struct, v)
	case value.List:
		out := make(value.List, len(v))
		for i, e := range v {
			out[i] = saidOf(t.Elem, e)
		}
		return out
	}
	return v
}

// nothing reports whether a value is an empty text, list or dict.
func nothing(v value.Value) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case value.List:
		return len(v) == 0
	case *value.Map:
		return v.Len() == 0
	}
	return false
}

// labels are those of a file with the stack's.
func (c *converter) labels(own types.Labels) map[string]string {
	out := maps.Clone(map[string]string(own))
	if out == nil {
		out = map[string]string{}
	}
	out[LabelNamespace] = c.stack.Name
	return out
}

// hostNetworks are those that every engine has, and that nobody declares.
var hostNetworks = []string{"bridge", "host", "none", "default"}

// networks adds those that some service is attached to, as docker does.
func (c *converter) networks() {
	used := map[string]bool{}
	for _, s := range c.project.Services {
		for _, key := range networksOf(s) {
			used[key] = true
		}
	}
	for _, key := range sorted(used) {
		n := c.project.Networks[key]
		name := c.networkName(key)
		if bool(n.External) {
			if !slices.Contains(hostNetworks, name) {
				c.external(swarm.NetworkKind, "networks", key, name)
			}
			continue
		}
		spec := &swarm.NetworkSpec{
			Attachable: n.Attachable, IPv4: n.EnableIPv4, IPv6: n.EnableIPv6,
			Options: maps.Clone(map[string]string(n.DriverOpts)), Labels: c.labels(n.Labels),
		}
		if n.Driver != "" && n.Driver != "overlay" {
			spec.Driver = &n.Driver
		}
		if n.Internal {
			spec.Internal = &n.Internal
		}
		if n.Ipam.Driver != "" {
			spec.IPAMDriver = &n.Ipam.Driver
		}
		if len(n.Ipam.Config) > 0 {
			spec.Subnets = c.subnets(key, n.Ipam.Config)
		}
		c.part(swarm.NetworkKind, "networks", key, name, spec)
	}
}

func (c *converter) subnets(key string, pools []*types.IPAMPool) *[]swarm.Subnet {
	var out []swarm.Subnet
	for i, p := range pools {
		if p.Subnet == "" {
			c.fail([]string{"networks", key, "ipam", "config"}, "", "networks.%s.ipam.config[%d]: a subnet is missing", key, i)
			continue
		}
		s := swarm.Subnet{CIDR: swarm.CIDR(p.Subnet)}
		if p.Gateway != "" {
			s.Gateway = (*swarm.IP)(&p.Gateway)
		}
		if p.IPRange != "" {
			s.IPRange = (*swarm.CIDR)(&p.IPRange)
		}
		if len(p.AuxiliaryAddresses) > 0 {
			aux := map[string]swarm.IP{}
			for k, v := range p.AuxiliaryAddresses {
				aux[k] = swarm.IP(v)
			}
			s.AuxAddress = &aux
		}
		out = append(out, s)
	}
	return &out
}

// networkName is a network's name in the swarm.
func (c *converter) networkName(key string) string {
	if n := c.project.Networks[key].Name; n != "" {
		return n
	}
	return scoped(c.stack.Name, key)
}

// networksOf are the networks of a service: the default one where it names none,
// whatever network_mode says, which a swarm does not know.
func networksOf(s types.ServiceConfig) []string {
	if len(s.Networks) == 0 {
		return []string{"default"}
	}
	return sorted(s.Networks)
}

// contents adds the secrets and configs, used or not.
func (c *converter) contents() {
	for _, key := range sorted(c.project.Secrets) {
		s := types.FileObjectConfig(c.project.Secrets[key])
		if bool(s.External) {
			c.external(swarm.SecretKind, "secrets", key, s.Name)
			continue
		}
		spec := &swarm.SecretSpec{Labels: c.labels(s.Labels), PlainName: true, DriverOpts: s.DriverOpts}
		if s.Driver != "" {
			spec.Driver = &s.Driver
		} else if text, ok := c.content("secrets", key, s); ok {
			spec.Value = &text
		}
		if s.TemplateDriver != "" {
			spec.TemplateDriver = &s.TemplateDriver
		}
		c.part(swarm.SecretKind, "secrets", key, s.Name, spec).From = c.source(s)
	}
	for _, key := range sorted(c.project.Configs) {
		f := types.FileObjectConfig(c.project.Configs[key])
		if bool(f.External) {
			c.external(swarm.ConfigKind, "configs", key, f.Name)
			continue
		}
		spec := &swarm.ConfigSpec{Labels: c.labels(f.Labels), PlainName: true}
		if f.Driver != "" {
			c.fail([]string{"configs", key, "driver"}, "", "configs.%s: a config has no driver", key)
		}
		text, ok := c.content("configs", key, f)
		if ok && text == "" {
			c.fail([]string{"configs", key}, "", "configs.%s is empty, which a swarm does not allow", key)
		}
		spec.Content = text
		if f.TemplateDriver != "" {
			spec.TemplateDriver = &f.TemplateDriver
		}
		c.part(swarm.ConfigKind, "configs", key, f.Name, spec).From = c.source(f)
	}
}

// content is what a secret or config holds.
func (c *converter) content(section, key string, f types.FileObjectConfig) (string, bool) {
	at := []string{section, key}
	switch {
	case f.File != "":
		data, err := c.in.content(f.File)
		if err != nil {
			c.fail(append(at, "file"), "", "%s.%s: %v", section, key, err)
		}
		return string(data), err == nil
	case f.Environment != "":
		text, ok := c.in.env[f.Environment]
		if !ok {
			c.fail(append(at, "environment"), fmt.Sprintf("vars = {%q: env(%q)} gives it, or the environment", f.Environment, f.Environment),
				"%s.%s: the variable %s is not set", section, key, f.Environment)
		}
		return text, ok
	case f.Content != "" || c.declares(section, key, "content"):
		return f.Content, true
	}
	c.fail(at, "", "%s.%s: say where its content comes from: file, environment or content", section, key)
	return "", false
}

func (c *converter) source(f types.FileObjectConfig) Source {
	if f.File == "" {
		return Source{Env: f.Environment}
	}
	file, _ := c.in.rel(f.File)
	return Source{File: file}
}
