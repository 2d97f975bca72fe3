package run

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// An engine that only the inventory knows, and that does not answer or is not
// the one that it was, is never taken for cleaned up: the project lets go of
// it when told to.
func TestStoryForget(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`network("forget_net", driver = "overlay")`)
		f.Apply()
		f.PlanFailsWith(func(o *Options) { o.Forget = []string{"engine.dead"} }, "there is nothing to forget")
		f.inventory(resource.ScopeEntry{Address: "local.default", Type: "local", Endpoint: "Not A Site"}, resource.ScopeEntry{Address: "engine.dead", Type: "engine", Endpoint: "unix:///nowhere/docker.sock"},
			resource.ScopeEntry{Address: "engine.other", Type: "engine", Endpoint: strings.Replace(f.e.Host, "unix://", "unix:///./", 1), ID: "another engine's"})
		p := f.Plan()
		for _, addr := range []string{"engine.dead", "engine.other", "local.default"} {
			if p.Plan.Unreachable[addr] == nil {
				t.Errorf("%s counts as reached", addr)
			}
		}
		if text := fmt.Sprint(p.Plan.Warnings); !strings.Contains(text, "--forget engine.dead") || !strings.Contains(text, "--forget engine.other") || !strings.Contains(text, "--forget local.default") {
			t.Errorf("the warnings are %s", text)
		}
		f.PlanFailsWith(func(o *Options) { o.Forget = []string{"engine.lab", "engine.daed"} }, "--forget engine.lab: the script names it",
			"--forget engine.daed: the project's inventory has no such scope", "engine.dead, engine.other", `did you mean "engine.dead"?`)
		letGo := func(o *Options) { o.Forget = []string{"engine.dead", "engine.other", "local.default"} }
		if p := f.Plan(letGo); len(p.Plan.Unreachable) > 0 || len(p.Plan.Warnings) > 0 {
			t.Errorf("told to forget them, it still has %v, %v", p.Plan.Unreachable, p.Plan.Warnings)
		}
		f.Apply(letGo)
		if p := f.Plan(); len(p.Plan.Unreachable) > 0 || len(p.Plan.Warnings) > 0 {
			t.Errorf("after it forgot them, it still has %v, %v", p.Plan.Unreachable, p.Plan.Warnings)
		}
	})
}

// inventory adds entries to the hint beside the script.
func (f *fixture) inventory(entries ...resource.ScopeEntry) {
	f.Helper()
	all, err := readHints(filepath.Dir(f.opts.File))
	if err != nil {
		f.Fatal(err)
	}
	all[f.project] = append(all[f.project], entries...)
	data, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(f.opts.File), hintFile), data, 0o644)
	}
	if err != nil {
		f.Fatal(err)
	}
}
