package outcome

import "time"

// Trace is what happened in a simulated swarm.
type Trace struct {
	Swarm    string
	Nodes    []TraceNode
	Services []TraceService
	// Events are in the order in which they happened.
	Events []Event
	// Rounds is how many rounds of steps there were; steps of a round are taken
	// together, and a round begins when the one before has ended.
	Rounds int
	Cut    bool
	// Notes are assumptions that only this simulation makes.
	Notes []string
}

// TraceNode is a node of a trace.
type TraceNode struct {
	ID, Name             string
	Joins, Leaves, Stuck bool
}

// TraceService is a service of a trace. One that is deleted and made anew has
// two IDs.
type TraceService struct {
	IDs           []string
	Name, Address string
	Mode, Action  string
	Policy        Policy
	// Hurried is set where more tasks were renewed at a time than the policy says.
	Hurried bool
	// Zero is set where no task is wanted in the end.
	Zero       bool
	Stuck      bool
	Refused    string
	NotReached string
	// Hidden is set where what it asks of the nodes is sensitive: why it has none
	// would show it. Sensitive is set where anything of it is: the swarm's answer
	// may hold it.
	Hidden, Sensitive bool
}

// Policy is what makes a service's changes take time.
type Policy struct {
	Parallelism  int // 0: all at once
	Delay        time.Duration
	Monitor      time.Duration
	StartFirst   bool
	Start, Stop  time.Duration // of a container
	RestartDelay time.Duration
	// Healthy is set where a task runs only once its health check has passed.
	Healthy bool
}

// Kind is what happened to a task.
type Kind int

const (
	Found    Kind = iota // it ran before
	Made                 // it was created
	Waits                // it has no suitable node; Event.Why says why
	Runs                 // it runs, on Event.Node
	Stops                // it was told to stop
	Rejected             // its node does not match any more
	Ended                // it has stopped
	Done                 // it has completed, of a job
)

// Event is something that happened to a task.
type Event struct {
	Round   int // of steps
	Kind    Kind
	Task    string
	Service string // the ID
	Slot    uint64 // 0 in a global service
	Node    string // the ID, "" where it has none yet
	Spec    uint64 // the version of the service's spec that it is of
	Why     string
}
