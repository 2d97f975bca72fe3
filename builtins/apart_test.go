package builtins_test

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// What is declared apart is a script of its own: it may have the names, the
// project and the inputs that another one has, and nothing of it stays.
func TestApart(t *testing.T) {
	f := newTyped(t)
	f.fine(`project("outer")`, `service("web", image = "nginx")`, `output("a", 1)`)
	p, list, err := f.rec.Apart(&builtins.Inputs{Vars: map[string]string{"replicas": "3"}}, func() error {
		return f.input(`project("inner"); service("web", image = "redis", replicas = var("replicas", 1)); output("a", 2); output("b", 3)`)
	})
	if err != nil || list.Err() != nil {
		t.Fatal(err, list)
	}
	if p.Project != "inner" || len(p.Outputs) != 2 || len(p.Scopes) == 0 || describe(p) != "service.web" {
		t.Errorf("apart it is %s of %s with the outputs %v", describe(p), p.Project, p.Outputs)
	}
	outer, list := f.rec.Current()
	if err := list.Err(); err != nil || outer.Project != "outer" || len(outer.Outputs) != 1 || describe(outer) != "service.web" {
		t.Errorf("afterwards it is %s of %s, %v", describe(outer), outer.Project, err)
	}
	web := p.Declarations[len(p.Declarations)-1]
	if image, _ := web.Kind.Schema.Field("image"); web.Args[image.Index] != "redis:latest" {
		t.Errorf("the one apart is of %v", web.Args[image.Index])
	}

	_, list, err = f.rec.Apart(&builtins.Inputs{Vars: map[string]string{"nobody": "3"}}, func() error { return f.input(`secret("s", generate = 8)`) })
	if err != nil || !strings.Contains(list.Error(), "the script declares no project") || !strings.Contains(list.Error(), `no variable "nobody"`) {
		t.Errorf("a script without a project has the problems %v, %v", list, err)
	}
	if _, _, err = f.rec.Apart(&builtins.Inputs{}, func() error { return f.input(`service("web")`) }); err == nil || !strings.Contains(err.Error(), "missing argument image") {
		t.Errorf("a wrong script's error is %v", err)
	}
	if _, declared := f.rec.Declared(); !declared {
		t.Error("what was declared before is not there any more")
	}
}

// describe names what a program declares itself.
func describe(p *resource.Program) string {
	var names []string
	for _, d := range p.Declarations {
		if !d.External {
			names = append(names, d.Address.Short())
		}
	}
	return strings.Join(names, ", ")
}
