package apply

import (
	"errors"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// The exit codes of every verb.
const (
	ExitOK           = 0
	ExitError        = 1
	ExitChanges      = 2 // only under --detailed-exitcode
	ExitUnreachable  = 3 // authentication or connection
	ExitFailed       = 4 // a step failed
	ExitNotConverged = 5 // not converged, or rolled back
	ExitStale        = 6 // lease held, or plan stale
	ExitInterrupted  = 130
)

// ExitCode is the code that says best how the apply ended.
func (r *Result) ExitCode() int {
	if r.LeaseLost != nil {
		return ExitCodeOf(r.LeaseLost, ExitStale)
	}
	code := ExitOK
	for _, s := range r.Steps {
		if s.Err == nil {
			continue
		}
		code = worse(code, ExitCodeOf(s.Err, ExitFailed))
	}
	if r.Interrupted {
		return ExitInterrupted
	}
	return code
}

// worse orders the codes of steps: what failed outright says more than what
// did not converge, and a lost connection explains both.
func worse(a, b int) int {
	rank := map[int]int{ExitOK: 0, ExitNotConverged: 1, ExitStale: 2, ExitFailed: 3, ExitUnreachable: 4}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// ExitCodeOf is the code of an error; otherwise is for one that says nothing
// itself.
func ExitCodeOf(err error, otherwise int) int {
	var lost *LostLease
	var held *HeldLease
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, new(*resource.NotConverged)):
		return ExitNotConverged
	case errors.Is(err, resource.ErrUnreachable), errors.Is(err, resource.ErrRefused): // a lease may be lost for that
		return ExitUnreachable
	case errors.Is(err, ErrStale), errors.As(err, &lost), errors.As(err, &held):
		return ExitStale
	}
	return otherwise
}

// Count returns how many steps ended well, failed, and were skipped.
func (r *Result) Count() (ok, failed, skipped int) {
	for _, s := range r.Steps {
		switch s.Outcome {
		case OK:
			ok++
		case Broken:
			failed++
		default:
			skipped++
		}
	}
	return ok, failed, skipped
}
