package scripttest

import (
	"fmt"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/plan"
)

// Status is how a test ended.
type Status string

// The ways to end.
const (
	Passed  Status = "pass"
	Failed  Status = "fail"
	Skipped Status = "skip"
	// Ended is that of a test that was interrupted, or never began because of
	// that.
	Ended Status = "interrupted"
)

// Result is how one test ended.
type Result struct {
	File, Name string
	Status     Status
	Took       time.Duration
	Reason     string   // why it was skipped
	Output     []string // what it printed and logged, line by line
	// Problems are why it failed, and what the test had before it then: the last
	// plan, nil where there was none since something changed; what runs; what the
	// lab's log says.
	Problems diag.List
	Plan     *plan.Plan
	Tasks    []operate.Task
	Nodes    []operate.NodeStatus
	Log      []string
	// Unanswered is why the swarm could not be asked.
	Unanswered string

	sources map[string][]byte // of the files in Problems
}

// Source is the text of a file that a problem is in.
func (r *Result) Source(file string) []byte { return r.sources[file] }

// Summary counts results.
type Summary struct {
	Passed, Failed, Skipped int
	NotRun                  int // because it was interrupted
	Took                    time.Duration
}

// Sum counts.
func Sum(results []*Result, took time.Duration) Summary {
	s := Summary{Took: took}
	for _, r := range results {
		switch r.Status {
		case Passed:
			s.Passed++
		case Failed:
			s.Failed++
		case Skipped:
			s.Skipped++
		default:
			s.NotRun++
		}
	}
	return s
}

// String is the last line of a run.
func (s Summary) String() string {
	text := fmt.Sprintf("%d passed, %d failed", s.Passed, s.Failed)
	if s.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", s.Skipped)
	}
	if s.NotRun > 0 {
		text += fmt.Sprintf(", %d not run", s.NotRun)
	}
	return text
}
