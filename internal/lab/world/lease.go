package world

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// ReadLease returns a project's lease; one without a version is none.
func (w *World) ReadLease(project string) (*api.Lease, error) {
	out := &api.Lease{}
	if text := w.data.In("leases").Get(project); text != nil {
		if err := json.Unmarshal(text, out); err != nil {
			return nil, fmt.Errorf("the lease of %s: %w", project, err)
		}
	}
	out.Now = time.Now()
	return out, nil
}

// WriteLease replaces the lease that has the old version.
func (w *World) WriteLease(in api.LeaseWrite) (*api.Lease, error) {
	w.leases.Lock()
	defer w.leases.Unlock()
	now, err := w.ReadLease(in.Project)
	if err != nil {
		return nil, err
	}
	if now.Version != in.Old {
		return nil, &api.Failure{Code: api.CodeConflict, Message: "the lease of " + in.Project}
	}
	if in.Next == nil {
		return &api.Lease{Now: now.Now}, w.data.In("leases").Delete(in.Project)
	}
	next := *in.Next
	next.Version, next.Now = rand.Text(), now.Now
	text, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	return &next, w.data.In("leases").Put(in.Project, text)
}

// leased reports whether a lease holds.
func (w *World) leased() bool {
	held := errors.New("held")
	err := w.data.In("leases").All(func(_ string, value []byte) error {
		var l api.Lease
		if json.Unmarshal(value, &l) == nil && l.Expires.After(time.Now()) {
			return held
		}
		return nil
	})
	return err != nil
}
