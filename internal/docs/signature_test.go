package docs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/lang"
	"github.com/swarmscript/swarmscript/stdlib"
)

// samples are values for the arguments that signatures name.
var samples = map[string]string{
	"name": `"n"`, "image": `"nginx"`, "content": `"x"`, "engine": `engine()`, "network": `"n"`, "config": `"n"`, "secret": `"n"`,
	"cmd": `"true"`, "target": `"/x"`, "port.target": `80`, "url": `"https://ca.example.com"`, "cidr": `"10.1.0.0/24"`, "soft": `1`, "hard": `2`,
	"protocol": `"cfssl"`, "value": `"x"`, "env": `"e"`, "context": `""`, "host": `""`, "env.name": `"HOME"`, "env.default": `"d"`,
	"default": `1`, "type": `"int"`, "choices": `[1]`, "sensitive": `False`, "description": `"d"`, "tls_ca": `""`, "tls_cert": `""`,
	"tls_key": `""`, "tls_verify": "True", "path": `"cluster.star"`, "prevent_destroy": "False", "ignore_changes": "[]", "replace_on": "[]",
	"check_http.url": `"http://a.example.com"`, "check_tcp.address": `"a.example.com:80"`, "service": `"web"`, "command": `"true"`,
	"old": `"service.old"`, "new": `"service.new"`, "engine.name": `"default"`, "container.name": `"web"`, "volume.name": `"data"`, "ref": `"x"`,
	"kind": `"network"`, "cluster": "None", "host.name": `"m1"`, "address": `"10.0.0.4"`, "user": `""`, "port": `0`, "key": `""`, "jump": `""`, "sudo": `"auto"`,
	"action": `"allow"`, "rule.port": `22`, "private_ip": `""`, "accept_new": `False`, "provider": `local()`, "registry.provider": `azure("westeurope")`, "lookup.provider": `None`, "lookup.host": `None`, "file.name": `"/x"`, "directory.name": `"/x"`, "package.name": `"curl"`, "systemd_unit.name": `"x.service"`, "sysctl.name": `"net.x"`, "run": `"true"`, "site": `""`, "subnet": `""`, "vars": `{}`, "lab.name": `""`, "build.context": `"web"`, "image_copy.image": `image("nginx")`,
	"location": `"westeurope"`, "resource_group": `""`, "subscription": `""`, "tenant": `""`, "environment": `""`, "open_ports": `["80"]`, "ssh_from": `""`, "azure.tags": `{"cost": "42"}`,
	"priority": `100`, "vm_extension.vm": `"n"`, "extension": `"x"`, "disk.name": `"n"`, "size_gb": `8`, "disk": `"n"`, "address_prefix": `"192.168.1.0/24"`, "virtual_network": `"net"`, "virtual_network.name": `"net"`, "lb_rule.port": `80`,
	"files": `["compose.yml"]`, "images": `{}`, "resolve_image": `"never"`, "env_files": `None`, "profiles": `[]`, "strict": `False`, "build": `False`, "push": `None`, "after": `[]`, "with_registry_auth": `False`, "wait": `True`, "timeout": `None`,
	"registry.host": `"registry.example.com"`, "username": `""`, "password": `""`, "identity_token": `""`, "helper": `""`, "ca": `""`, "insecure": "False",
}

// Every builtin can be called as its signature says: by position up to the *,
// by name after it, and not by position there.
func TestSignatures(t *testing.T) {
	for _, e := range All() {
		_, list, _ := strings.Cut(strings.TrimSuffix(e.Signature, ")"), "(")
		if e.Kind == nil && !e.Struct && len(e.Rows) == 0 {
			continue // Starlark's own
		}
		var args []string
		named := false
		for _, p := range strings.Split(list, ", ") {
			name, _, _ := strings.Cut(p, "=")
			sample, ok := samples[e.Name+"."+name]
			if e.Kind != nil && e.Kind.Scope == "host" && name == "host" {
				sample, ok = `host("m1", "10.0.0.4")`, true
			}
			if !ok {
				sample, ok = samples[name]
			}
			switch {
			case p == "*":
				named = true
				continue
			case p == "...":
				continue
			case !ok:
				t.Errorf("%s: no sample of %s", e.Signature, name)
			case named:
				sample = name + " = " + sample
			}
			args = append(args, sample)
		}
		if e.Name == "secret" {
			args = append(args, `value = "x"`) // or generate
		}
		if e.Kind != nil && e.Kind.Scope == "azure" {
			args = append(args, `provider = azure("westeurope")`) // or the only one that is declared
		}
		call := e.Name + "(" + strings.Join(args, ", ") + ")"
		for _, d := range evaluate(call) {
			for _, wrong := range []string{"positional", "missing", "unexpected", "required", "got "} {
				if strings.Contains(d.Summary, wrong) {
					t.Errorf("%s, called as %s: %s", e.Signature, call, d.Summary)
				}
			}
		}
		if !named {
			continue
		}
		var first []string // all by position: one too many
		for _, a := range args {
			if _, v, ok := strings.Cut(a, " = "); ok {
				a = v
			}
			first = append(first, a)
		}
		call = e.Name + "(" + strings.Join(append(first, `"x"`), ", ") + ")"
		if got := fmt.Sprint(evaluate(call)); !strings.Contains(got, "positional") {
			t.Errorf("%s, called as %s: got %s, want an error", e.Signature, call, got)
		}
	}
}

// evaluate returns the problems of a script of one call.
func evaluate(call string) diag.List {
	src := call + "\n"
	if !strings.HasPrefix(call, "project(") {
		src = "project(\"p\")\n" + src
	}
	return evaluateScript(src)
}

// evaluateScript returns the problems of a script.
func evaluateScript(src string) diag.List {
	env := func(string) (string, bool) { return "", false }
	rec := builtins.NewRecorder(&builtins.Inputs{Env: env, Vars: map[string]string{}}, registry.Kinds())
	s := lang.NewSession(lang.Options{Root: "testdata", Stdlib: stdlib.FS, Predeclared: rec.Predeclared()})
	if _, err := s.ExecSource(context.Background(), "cluster.star", []byte(src)); err != nil {
		return diag.From(err)
	}
	_, problems := rec.Program()
	return problems
}
