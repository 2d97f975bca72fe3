// Package outcome says what a plan does to what runs in a swarm: where tasks
// land, what waits for a node and why, what is interrupted and for how long.
//
// A [Report] is a pure function of a [Trace], which is what happened in a
// simulated swarm, in the order in which it did. The trace has no times: it is
// made without any of the delays that a real swarm has. The report puts them
// back, by the update policy's numbers and by what is assumed of containers, so
// that the same trace gives the same report on a slow and on a fast computer.
package outcome

// Report is what a plan does to what runs in one swarm. Times are in seconds,
// from when the step of a service begins; how long machines take to be made is
// not known and not counted.
type Report struct {
	// Swarm is its address: swarm.main.
	Swarm string `json:"swarm"`
	// Services are those to which anything happens, in the plan's order, others
	// after them.
	Services []Service `json:"services"`
	// Nodes are all that are there before or after.
	Nodes []Node `json:"nodes"`
	// Seconds is how long the swarm takes for all of it. It counts to where it
	// ends, also where something gets stuck on the way.
	Seconds float64 `json:"seconds"`
	// Assumptions are what the times and places rest on.
	Assumptions []string `json:"assumptions"`
	// Cut is set where the simulation was ended before the swarm had settled.
	Cut bool `json:"cut"`
}

// Node is a node and how many tasks run on it.
type Node struct {
	Name   string `json:"name"`
	Before int    `json:"before"`
	After  int    `json:"after"`
	Joins  bool   `json:"joins,omitempty"`
	Leaves bool   `json:"leaves,omitempty"`
	// Stuck is set where it is drained, and tasks that it had have no other node:
	// its step fails, and it stays.
	Stuck bool `json:"stuck,omitempty"`
}

// Service is what happens to a service.
type Service struct {
	// Address is "" where the project does not declare it.
	Address string `json:"address,omitempty"`
	Name    string `json:"name"`
	// Mode is replicated, global, replicated-job or global-job.
	Mode string `json:"mode"`
	// Action is what the plan does to it: create, update, replace, delete, or ""
	// where only its tasks move.
	Action string `json:"action,omitempty"`
	// Before and After are the tasks that run.
	Before int `json:"before"`
	After  int `json:"after"`
	// Nodes are where they run, by name; nodes without any are left out.
	Nodes []Share `json:"nodes"`
	// Pending are the tasks that have no node in the end.
	Pending []Pending `json:"pending,omitempty"`
	// Renewed counts the tasks that are made anew, AtATime how many of them at
	// once, Moved those that have to leave their node.
	Renewed int `json:"renewed,omitempty"`
	AtATime int `json:"at_a_time,omitempty"`
	Moved   int `json:"moved,omitempty"`
	// Seconds is how long it takes until the swarm is done with it, the watch for
	// failures included. It is 0 where Stuck is set.
	Seconds float64 `json:"seconds"`
	// Fewest is the smallest number of tasks that run at one time.
	Fewest int `json:"fewest"`
	// Interrupted is how long no task runs, though one ran before and shall run
	// after; 0 where there always is one.
	Interrupted float64 `json:"interrupted_seconds,omitempty"`
	// Down is set where none runs in the end, though one ran before and shall.
	Down bool `json:"down,omitempty"`
	// Stuck is set where an update never ends: a new task has no node.
	Stuck bool `json:"stuck,omitempty"`
	// Refused is the swarm's answer to the step, where it is an error.
	Refused string `json:"refused,omitempty"`
	// NotReached is why its step is not taken: an earlier one that never ends.
	NotReached string `json:"not_reached,omitempty"`
}

// Share is how many tasks of a service a node runs.
type Share struct {
	Node   string `json:"node"`
	Before int    `json:"before"`
	After  int    `json:"after"`
}

// Pending is a task that has no node, and why in the scheduler's words.
type Pending struct {
	Task string `json:"task"` // web.5
	Why  string `json:"why"`
}
