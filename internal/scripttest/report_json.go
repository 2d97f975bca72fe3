package scripttest

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// event is a line of NDJSON, in the shape of the events of an apply.
type event struct {
	Level   string `json:"@level"`
	Message string `json:"@message"`
	Module  string `json:"@module"`
	Time    string `json:"@timestamp"`
	Type    string `json:"type"`

	Test     *testEvent     `json:"test,omitempty"`
	Summary  *summaryEvent  `json:"summary,omitempty"`
	Coverage []FileCoverage `json:"coverage,omitempty"`
}

type testEvent struct {
	File        string               `json:"file"`
	Name        string               `json:"name"`
	Status      Status               `json:"status,omitempty"`
	Elapsed     *float64             `json:"elapsed_seconds,omitempty"`
	Reason      string               `json:"reason,omitempty"`
	Output      []string             `json:"output,omitempty"`
	Diagnostics []json.RawMessage    `json:"diagnostics,omitempty"`
	Plan        string               `json:"plan,omitempty"` // as text
	Tasks       []operate.Task       `json:"tasks,omitempty"`
	Nodes       []operate.NodeStatus `json:"nodes,omitempty"` // that somebody should look at
	Log         []string             `json:"log,omitempty"`
}

type summaryEvent struct {
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	Skipped int     `json:"skipped"`
	NotRun  int     `json:"not_run"`
	Elapsed float64 `json:"elapsed_seconds"`
}

// JSON writes events, one object a line: test_start, test_end, test_summary,
// coverage.
type JSON struct{ W io.Writer }

func (j JSON) write(level, typ, message string, e event) error {
	e.Level, e.Type, e.Message = level, typ, message
	e.Module, e.Time = "swarmscript.test", time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	enc := json.NewEncoder(j.W)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// Begun tells that a test begins.
func (j JSON) Begun(file, name string) error {
	return j.write("info", "test_start", file+": "+name, event{Test: &testEvent{File: file, Name: name}})
}

// Ended tells how a test ended.
func (j JSON) Ended(r *Result) error {
	elapsed := r.Took.Seconds()
	e := &testEvent{File: r.File, Name: r.Name, Status: r.Status, Elapsed: &elapsed, Reason: r.Reason, Output: r.Output, Tasks: r.Tasks, Nodes: r.Nodes, Log: r.Log}
	for _, d := range r.Problems {
		e.Diagnostics = append(e.Diagnostics, ui.DiagnosticJSON(d))
	}
	if r.Plan != nil && r.Status == Failed {
		var b strings.Builder
		if err := ui.Plan(&b, r.Plan, ui.PlanOptions{}); err != nil {
			return err
		}
		e.Plan = b.String()
	}
	level := "info"
	if r.Status == Failed {
		level = "error"
	}
	return j.write(level, "test_end", r.File+": "+r.Name+": "+string(r.Status), event{Test: e})
}

// End tells the numbers.
func (j JSON) End(s Summary) error {
	level := "info"
	if s.Failed > 0 {
		level = "error"
	}
	return j.write(level, "test_summary", s.String(), event{Summary: &summaryEvent{s.Passed, s.Failed, s.Skipped, s.NotRun, s.Took.Seconds()}})
}

// Coverage tells which lines were evaluated.
func (j JSON) Coverage(files []FileCoverage) error {
	return j.write("info", "coverage", "coverage: "+total(files), event{Coverage: files})
}
