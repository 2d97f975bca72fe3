package emulator

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault makes requests, or the operations that they begin, go wrong.
type Fault struct {
	// Action picks requests by what they need the right to, where * is any text:
	// "Microsoft.Compute/virtualMachines/write", "*/delete"; "" is all.
	Action string
	// Name picks resources by the last part of their ID, where * is any text; "" is
	// all.
	Name string
	// Every is which of those are hit: each 10th; 0 is each.
	Every int
	// Times is how many are hit at most; 0 is no limit.
	Times int

	// Status is what they are answered, such as 429, 409 or 500. A status of 403
	// says which action is not allowed.
	Status     int
	RetryAfter time.Duration
	// Slow is how much later an answer comes; where Operation is set, how much
	// later the operation ends that the request began.
	Slow      time.Duration
	Operation bool
	// Lag is for how long what they have made is not found, and what they have deleted
	// is in the list of a group.
	Lag time.Duration
	// Fail is the code that the operation fails with which a request began. Of
	// deletions it holds where Action says so: they take no capacity, and do not boot.
	Fail string
}

// faults are those that hold.
type faults struct {
	mu  sync.Mutex
	all []*faultState
}

type faultState struct {
	Fault
	action, name *regexp.Regexp
	seen, hit    int
}

// Fault makes requests go wrong from now on.
func (e *Emulator) Fault(f Fault) {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.all = append(e.faults.all, &faultState{Fault: f, action: glob(f.Action), name: glob(f.Name)})
}

// ClearFaults ends all faults.
func (e *Emulator) ClearFaults() {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.all = nil
}

func glob(pattern string) *regexp.Regexp {
	if pattern == "" {
		pattern = "*"
	}
	return regexp.MustCompile("(?i)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

// pick returns the faults that hit something, and counts.
func (f *faults) pick(action, name string, which func(*Fault) bool) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Fault
	for _, s := range f.all {
		if !which(&s.Fault) || !s.action.MatchString(action) || !s.name.MatchString(name) || s.Times > 0 && s.hit >= s.Times {
			continue
		}
		s.seen++
		if s.Every > 1 && s.seen%s.Every != 0 {
			continue
		}
		s.hit++
		out = append(out, s.Fault)
	}
	return out
}

// strike makes a request fail, or late.
func (f *faults) strike(c *call, who claims) error {
	for _, hit := range f.pick(c.action, c.path.name(), func(f *Fault) bool { return f.Status != 0 || f.Slow > 0 && !f.Operation }) {
		if err := sleep(c.Context(), hit.Slow); err != nil {
			return err
		}
		if hit.Status != 0 {
			return hit.answer(c, who)
		}
	}
	return nil
}

func (f Fault) answer(c *call, who claims) error {
	var out *Failure
	switch f.Status {
	case http.StatusForbidden:
		out = errForbidden(c, who)
	case http.StatusUnauthorized: // a token that was good is none any more
		out = fail(f.Status, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
	case http.StatusTooManyRequests:
		out = fail(f.Status, "TooManyRequests", "The request is being throttled.")
	case http.StatusConflict:
		out = fail(f.Status, "AnotherOperationInProgress", "Another operation on this or dependent resource is in progress.")
	case http.StatusServiceUnavailable:
		out = fail(f.Status, "ServerBusy", "The server is busy.")
	default:
		out = fail(f.Status, "InternalServerError", "An error occurred.")
	}
	out.retryAfter = f.RetryAfter
	return out
}

func actionFor(op *operation, p path) string {
	switch op.Verb {
	case verbPut:
		return actionOf(http.MethodPut, p)
	case verbDelete:
		return actionOf(http.MethodDelete, p)
	}
	return typeOf(p) + "/" + string(op.Verb) + "/action"
}

// failureOf is how an operation is to fail, nil where it is not.
func (e *Emulator) failureOf(op *operation, p path) error {
	hits := e.faults.pick(actionFor(op, p), p.name(), func(f *Fault) bool { return f.Fail != "" && (f.Action != "" || op.Verb != verbDelete) })
	if hits == nil {
		return nil
	}
	switch code := hits[0].Fail; code {
	case "OSProvisioningTimedOut":
		return conflict(code, "OS Provisioning for VM '%s' did not finish in the allotted time. The VM may still finish provisioning successfully. Please check provisioning state later.", p.name())
	case "AllocationFailed", "ZonalAllocationFailed":
		return conflict(code, "Allocation failed. We do not have sufficient capacity for the requested VM size in this region. Read more about improving likelihood of allocation success at http://aka.ms/allocation-guidance")
	default:
		return conflict(code, "The operation failed: the emulator was told so.")
	}
}

// slowness is how much longer an operation takes.
func (e *Emulator) slowness(op *operation) (d time.Duration) {
	p, err := parsePath(op.Target)
	if err != nil {
		return 0
	}
	for _, f := range e.faults.pick(actionFor(op, p), p.name(), func(f *Fault) bool { return f.Operation && f.Slow > 0 }) {
		d += f.Slow
	}
	return d
}

// ParseFault reads a fault as a flag says it: "status=429,every=10,retry-after=2s",
// "status=403,action=Microsoft.Compute/virtualMachines/write", "fail=AllocationFailed,name=wrk-2",
// "slow=3s", "slow-operation=1m,action=Microsoft.Compute/virtualMachines/delete", "lag=5s".
func ParseFault(s string) (f Fault, err error) {
	for _, part := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "action":
			f.Action = value
		case "name":
			f.Name = value
		case "fail":
			f.Fail = value
		case "every":
			f.Every, err = strconv.Atoi(value)
		case "times":
			f.Times, err = strconv.Atoi(value)
		case "status":
			if f.Status, err = strconv.Atoi(value); err == nil && (f.Status < 400 || f.Status > 599) {
				err = fmt.Errorf("want 400 to 599")
			}
		case "retry-after":
			f.RetryAfter, err = time.ParseDuration(value)
		case "lag":
			f.Lag, err = time.ParseDuration(value)
		case "slow", "slow-operation":
			f.Operation = name == "slow-operation"
			f.Slow, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("want action, name, every, times, status, retry-after, slow, slow-operation, lag or fail")
		}
		if err != nil {
			return Fault{}, fmt.Errorf("fault %q: %s: %w", s, part, err)
		}
	}
	if f.Status == 0 && f.Slow == 0 && f.Lag == 0 && f.Fail == "" {
		return Fault{}, fmt.Errorf("fault %q does nothing: say status, slow, slow-operation, lag or fail", s)
	}
	return f, nil
}
