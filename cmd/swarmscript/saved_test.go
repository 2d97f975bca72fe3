package main

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
)

// show names every option that belongs to a plan, as it was given.
func TestShownOptions(t *testing.T) {
	f := &plan.File{VarFiles: []string{"prod.vars"}, Vars: map[string]string{"workers": "5", "motd": "it's on"}, Wishes: plan.Wishes{
		Options: plan.Options{
			Destroy: true, AllowDataLoss: true, AllowPending: true, Adopt: []string{"service.a"}, AdoptAll: true, Targets: []string{"swarm.main/*", "service.web"},
			Exclude: []string{`service["a b"]`}, Replace: []string{"volume.data"}, Check: true,
		},
		Forget: []string{"swarm.old"}, RefreshOnly: true, Provider: "local", Lab: "a lab",
	}}
	got := options(f)
	for _, name := range planOwned {
		if !strings.Contains(got+" ", " --"+name+" ") {
			t.Errorf("--%s is not in %s", name, got)
		}
	}
	for _, want := range []string{` --target 'swarm.main/*' --target service.web`, ` --exclude 'service["a b"]'`, ` --var 'motd=it'\''s on' --var workers=5`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if got := options(&plan.File{}); got != "" {
		t.Errorf("without options: %q", got)
	}
}
