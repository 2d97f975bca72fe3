package builtins_test

import (
	"context"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/lang"
)

// A vm comes from where it says, else from where --provider says, else from the
// lab; and a script that is all in labs needs no project.
func TestProviders(t *testing.T) {
	for _, tt := range []struct{ provider, src, want string }{
		{"", `vm("m")`, "lab vm.m in lab.default"},
		{"lab", `vm("m")`, "lab vm.m in lab.default"},
		{"", `vm("m", provider = lab()); vm("n", provider = lab("two"))`, "lab vm.m in lab.default, vm.n in lab.two"},
		{"azure", `project("p"); vm("m")`, "p vm.m in azure.default, azure.default/network_security_group.p-nsg in azure.default"},
		{"azure", `project("p"); vm("m"); disk("d", 8)`, "azure.default/disk.d in azure.default"},
		{"azure", `project("p"); azure("westus", resource_group = "g"); vm("m")`, "p vm.m in azure.g"},
		{"", `project("p"); disk("d", 8)`, "disk: missing argument provider"},
		{"", `vm("m", provider = None)`, "lab vm.m in lab.default"},
		{"local", `vm("m")`, "the script declares no project"},
		{"local", `project("p"); vm("m"); vm("n", provider = lab())`, "p vm.m in local.default, vm.n in lab.default"},
		{"local", `project("p"); local(subnet = "10.9.0.0/16"); vm("m")`, "p vm.m in local.default"},
		{"", `project("p"); vm("m", provider = local("x"))`, "p vm.m in local.x"},
		{"", `host("h", "192.0.2.1"); vm("m")`, "the script declares no project"},
		{"", `network("n", engine = engine())`, "the script declares no project"},
		{"", `lookup("vm", "m")`, "lab vm.m in lab.default"},
		{"", `project("p"); vm("m", provider = "lab")`, "vm: provider: got string, want lab(), local() or azure(...)"},
	} {
		env := func(name string) (string, bool) { return "West Europe", name == "AZURE_LOCATION" }
		rec := builtins.NewRecorder(&builtins.Inputs{Provider: tt.provider, Env: env}, registry.Kinds())
		s := lang.NewSession(lang.Options{Root: t.TempDir(), Predeclared: rec.Predeclared()})
		got := ""
		if _, err := s.ExecSource(context.Background(), "x.star", []byte(tt.src)); err != nil {
			got = err.Error()
		} else if p, problems := rec.Program(); problems.Err() != nil {
			got = problems.Err().Error()
		} else {
			got = p.Project + " " + strings.Join(declared(p), ", ")
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("--provider %q, %s: got %s, want %s", tt.provider, tt.src, got, tt.want)
		}
	}
}

// --provider azure takes the region from the environment, and says so where it has
// none, or a wrong one.
func TestAzureOfEnvironment(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"AZURE_DEFAULTS_LOCATION": "West Europe", "AZURE_LOCATION": "westus"}, "westeurope"},
		{map[string]string{"AZURE_DEFAULTS_LOCATION": "", "AZURE_LOCATION": "westus"}, "westus"},
		{map[string]string{"AZURE_DEFAULTS_LOCATION": "west-1"}, `AZURE_DEFAULTS_LOCATION: location: got "west-1"`},
		{nil, "AZURE_DEFAULTS_LOCATION is not set, nor AZURE_LOCATION"},
	} {
		env := func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }
		rec := builtins.NewRecorder(&builtins.Inputs{Provider: "azure", Env: env}, registry.Kinds())
		s := lang.NewSession(lang.Options{Root: t.TempDir(), Predeclared: rec.Predeclared()})
		got := ""
		if _, err := s.ExecSource(context.Background(), "x.star", []byte(`project("p"); vm("m"); vm("n")`)); err != nil {
			got = err.Error()
		} else if p, problems := rec.Program(); problems.Err() != nil {
			got = problems.Err().Error()
		} else {
			got = p.Scopes[0].Config.(azure.Config).Location
		}
		if !strings.Contains(got, tt.want) || strings.Contains(got, "missing argument") {
			t.Errorf("%v: got %s, want %s", tt.env, got, tt.want)
		}
	}
}

// declared are the declarations of a program, each with the scope that it is in.
func declared(p *resource.Program) (out []string) {
	for _, d := range p.Declarations {
		out = append(out, string(d.Address)+" in "+d.Scope)
	}
	return out
}
