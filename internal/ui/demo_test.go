package ui

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/value"
)

var demo = flag.Bool("demo", false, "show a plan and an apply on this terminal (of the compiled test: go test -c)")

// TestDemo is for looking at: go test -c ./internal/ui && ./ui.test -test.run Demo -demo
func TestDemo(t *testing.T) {
	if !*demo {
		t.Skip("-demo shows it")
	}
	term := NewTerminal(os.Stdin, os.Stdout, false, os.Getenv)
	p := everything()
	if err := Plan(term.Out, p, PlanOptions{Style: term.Style()}); err != nil {
		t.Fatal(err)
	}
	if ok, err := Approve(context.Background(), term, Question{Project: p.Project}); err != nil || !ok {
		fmt.Println("not approved:", err)
		return
	}
	progress := NewProgress(term, Auto, p)
	last := 0.0
	for _, s := range story() {
		time.Sleep(time.Duration((s.at - last) * float64(time.Second)))
		last = s.at
		s.e.Time = time.Now()
		progress.Event(s.e)
	}
	progress.Close()
	if err := Summary(term.Out, failedResult(), SummaryOptions{Style: term.Style(), Names: NewNames(p), Exit: 5}); err != nil {
		t.Fatal(err)
	}
}

// failedResult is an apply of which one step failed.
func failedResult() *apply.Result {
	ok := func(c *plan.Change) *apply.StepResult { return &apply.StepResult{Change: c, Outcome: apply.OK} }
	failed := change(serviceKind, "db", plan.Create)
	broken := change(networkKind, "front", plan.Update)
	return &apply.Result{
		Steps: []*apply.StepResult{
			ok(change(networkKind, "backend", plan.Create)),
			ok(change(secretKind, "db_password", plan.NewVersion)),
			{Change: failed, Outcome: apply.Broken, Err: notConverged("service.db")},
			{Change: change(serviceKind, "api", plan.Create), Outcome: apply.Omitted, Because: failed.Address},
			{Change: change(serviceKind, "proxy", plan.Create), Outcome: apply.Omitted, Because: failed.Address},
			{Change: broken, Outcome: apply.Broken, Err: &diag.Diagnostic{Summary: "the engine refused it",
				Detail: "Error response from daemon: network front has active endpoints", Hint: "detach what uses it"}},
			ok(change(serviceKind, "web", plan.Update)),
		},
		Outputs: outputResults(),
	}
}

func outputResults() []apply.OutputResult {
	return []apply.OutputResult{
		{Name: "url", Value: "http://10.0.0.4:8080", Known: true},
		{Name: "password", Value: hush, Known: true, Sensitive: true},
		{Name: "token", Value: value.Secret{V: hush}, Known: true},
		{Name: "replicas", Value: int64(4), Known: true},
		{Name: "nodes", Value: texts_("wrk-1", "wrk-2"), Known: true},
		{Name: "lost"},
		{Name: "nothing", Known: true},
	}
}
