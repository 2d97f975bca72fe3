package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
)

func renderSummary(t *testing.T, r *apply.Result, o SummaryOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Summary(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wholeResult() *apply.Result {
	r := &apply.Result{Outputs: outputResults()[:4]}
	for i, a := range []plan.Action{plan.Create, plan.Create, plan.Update, plan.Replace, plan.NewVersion, plan.Delete, plan.Read, plan.NoOp} {
		r.Steps = append(r.Steps, &apply.StepResult{Change: change(serviceKind, string(rune('a'+i)), a), Outcome: apply.OK})
	}
	return r
}

func TestSummaryGolden(t *testing.T) {
	interrupted := wholeResult()
	interrupted.Interrupted = true
	for _, st := range interrupted.Steps[4:] {
		st.Outcome = apply.Omitted
	}
	lost := failedResult()
	lost.LeaseLost = errors.New("changed by somebody else in between")
	destroyed := &apply.Result{}
	for _, st := range wholeResult().Steps {
		st.Change.Action = plan.Delete
		destroyed.Steps = append(destroyed.Steps, st)
	}
	for name, c := range map[string]struct {
		r *apply.Result
		o SummaryOptions
	}{
		"summary-failed.txt":      {failedResult(), SummaryOptions{Exit: 5}},
		"summary-failed-40.txt":   {failedResult(), SummaryOptions{Exit: 5, Style: Style{Width: 40, Color: true}}},
		"summary-complete.txt":    {wholeResult(), SummaryOptions{}},
		"summary-interrupted.txt": {interrupted, SummaryOptions{Exit: 130}},
		"summary-lease.txt":       {lost, SummaryOptions{Exit: 6}},
		"summary-destroyed.txt":   {destroyed, SummaryOptions{Destroy: true}},
		"summary-nothing.txt":     {&apply.Result{}, SummaryOptions{}},
		"summary-unreachable.txt": {&apply.Result{Steps: wholeResult().Steps[:2]}, SummaryOptions{Exit: 3, Unreachable: broken().Unreachable}},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, renderSummary(t, c.r, c.o)) })
	}
}

func TestSummaryJSON(t *testing.T) {
	var b bytes.Buffer
	if err := SummaryJSON(&b, failedResult(), SummaryOptions{Exit: 5}, start); err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(b.String()) {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
	golden(t, "summary.ndjson", b.Bytes())
	b.Reset()
	if err := SummaryJSON(&b, &apply.Result{}, SummaryOptions{Exit: 3, Unreachable: broken().Unreachable}, start); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary-unreachable.ndjson", b.Bytes())
}

// An output that nobody knows yet is not one whose resource failed, and None is
// neither.
func TestUnknownOutputs(t *testing.T) {
	list := []apply.OutputResult{{Name: "none", Known: true}, {Name: "id"}}
	var b bytes.Buffer
	if err := Outputs(&b, list, Style{}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "none = none\nid   = (known after apply)\n"; got != want {
		t.Errorf("before an apply: got\n%swant\n%s", got, want)
	}
	got := string(renderSummary(t, &apply.Result{Outputs: list}, SummaryOptions{}))
	if want := "none = none\nid   = (not known: what it needs failed)\n"; !strings.HasSuffix(got, want) {
		t.Errorf("after an apply: got\n%swant\n%s", got, want)
	}
}

func TestPlanErrorJSON(t *testing.T) {
	var b bytes.Buffer
	err := diag.List{{Summary: "one", Pos: diag.Pos{File: "c.star", Line: 2, Col: 1}}, {Summary: "two"}}
	if err := PlanErrorJSON(&b, err, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		FormatVersion string `json:"format_version"`
		Diagnostics   []struct{ Summary string }
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil || doc.FormatVersion != FormatVersion || len(doc.Diagnostics) != 2 {
		t.Errorf("got %s, %v", b.String(), err)
	}
}

func TestOutputs(t *testing.T) {
	var b bytes.Buffer
	if err := OutputsJSON(&b, outputResults(), false); err != nil {
		t.Fatal(err)
	}
	golden(t, "outputs.json", b.Bytes())
	b.Reset()
	if err := OutputsJSON(&b, outputResults(), true); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), hush); n != 2 {
		t.Errorf("asked to reveal: got %d secrets, want 2", n)
	}
	for name, want := range map[string]string{
		"url": "http://10.0.0.4:8080\n", "nothing": "None\n", "password": hush + "\n", "replicas": "4\n", "nodes": `["wrk-1","wrk-2"]` + "\n",
	} {
		b.Reset()
		if err := OutputRaw(&b, outputResults(), name); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v", name, b.String(), err)
		}
	}
	for name, want := range map[string]string{
		"lost": `output "lost" is not known: what it needs does not exist`,
		"ulr":  `there is no output "ulr" (did you mean "url"?)`,
	} {
		if err := OutputRaw(&b, outputResults(), name); err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", name, err, want)
		}
	}
}

// What the second Ctrl-C cut short did not fail.
func TestAborted(t *testing.T) {
	r := &apply.Result{Interrupted: true, Steps: []*apply.StepResult{{
		Change: change(serviceKind, "web", plan.Update), Outcome: apply.Broken, Err: fmt.Errorf("update: %w", context.Canceled),
	}}}
	got := string(renderSummary(t, r, SummaryOptions{Exit: 130}))
	if !strings.Contains(got, "service.web was aborted; it may be half done\n") || strings.Contains(got, "canceled") {
		t.Errorf("got\n%s", got)
	}
	if got := firstLine(r.Steps[0].Err); got != "aborted" {
		t.Errorf("while it runs: got %q", got)
	}
}

// What was to be deleted and was only released is told with its reason.
func TestStays(t *testing.T) {
	r := &apply.Result{Steps: []*apply.StepResult{
		{Change: change(serviceKind, "web", plan.Delete), Outcome: apply.OK},
		{Change: change(networkKind, "lan", plan.Release), Outcome: apply.OK, Stays: "it holds what is theirs"},
	}}
	got := string(renderSummary(t, r, SummaryOptions{Destroy: true}))
	for _, want := range []string{"stays: network.lan, without our mark: it holds what is theirs\n", "Resources: 1 deleted, 1 released."} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
}
