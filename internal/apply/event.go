package apply

import (
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// EventType says what happened.
type EventType string

const (
	Started    EventType = "started"  // a step began
	Progressed EventType = "progress" // it got further
	Retried    EventType = "retry"    // it failed for now and is tried again; Text says why
	Finished   EventType = "finished" // it ended well
	Failed     EventType = "failed"   // it did not; Err says why
	Skipped    EventType = "skipped"  // it was not begun; Text says why
	Notice     EventType = "notice"   // something about the whole run; Text says it
)

// Event is one thing that happens during an apply. Events come one at a time.
type Event struct {
	Time    time.Time
	Type    EventType
	Address value.Address // "" for a notice
	Action  plan.Action
	Phase   plan.Phase
	// Done of Total tasks; Total 0 where nothing can be counted.
	Done, Total int
	// Tried is how often something was tried that ended, last, as Text says; 0 for
	// what is not tried again and again.
	Tried   int
	Text    string
	Elapsed time.Duration // since the step began
	Err     error
}

// Outcome is how a step ended.
type Outcome int

const (
	Waiting Outcome = iota // not begun
	OK
	Broken  // failed
	Omitted // skipped, because of another step or a stop
)

// StepResult is how one change ended.
type StepResult struct {
	Change  *plan.Change // as it was carried out
	Outcome Outcome
	Err     error
	Because value.Address // of an omitted step: the step that failed
	Stays   string        // why what was to be deleted was only released, "" otherwise
	Took    time.Duration
}

// Result is how an apply ended.
type Result struct {
	Steps       []*StepResult // one per change that had something to do, in the plan's order
	Interrupted bool
	LeaseLost   error
	Outputs     []OutputResult
}

// OutputResult is a published value after the apply.
type OutputResult struct {
	Name      string
	Value     value.Value // nil where it is not known, or where the script says None
	Known     bool        // false where what it needs failed, or was not applied yet
	Sensitive bool
	Text      string // the description
}

// Evaluated are outputs as far as they are known without an apply.
func Evaluated(declared []resource.OutputValue) []OutputResult {
	list := make([]OutputResult, 0, len(declared))
	for _, o := range declared {
		r := OutputResult{Name: o.Name, Sensitive: o.Sensitive || value.Sensitive(o.Value), Text: o.Description}
		if r.Known = value.Known(o.Value); r.Known {
			r.Value = o.Value
		}
		list = append(list, r)
	}
	return list
}
