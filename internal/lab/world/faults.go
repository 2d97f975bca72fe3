package world

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// Faults are those that hold, the oldest first.
func (w *World) Faults() []*api.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*api.Fault{}, w.faults...)
}

// SetFault makes containers go wrong from now on.
func (w *World) SetFault(f api.Fault) (*api.Fault, error) {
	if len(f.Effects) == 0 {
		return nil, &api.Failure{Code: api.CodeInvalid, Message: "a fault has to do something: exit=1, unhealthy, start-delay=5s, oom, pull=missing"}
	}
	if _, err := engineFault(&f); err != nil {
		return nil, err
	}
	f.ID = strings.ToLower(rand.Text()[:6])
	w.mu.Lock()
	w.faults = append(w.faults, &f)
	w.mu.Unlock()
	return &f, w.faultsChanged()
}

// ClearFault takes a fault away; all, where the ID is "".
func (w *World) ClearFault(id string) error {
	w.mu.Lock()
	before := len(w.faults)
	w.faults = slices.DeleteFunc(w.faults, func(f *api.Fault) bool { return id == "" || f.ID == id })
	same := len(w.faults) == before
	w.mu.Unlock()
	if same && id != "" {
		return &api.Failure{Code: api.CodeMissing, Message: "fault " + id}
	}
	return w.faultsChanged()
}

func (w *World) faultsChanged() error {
	if err := w.put("faults", w.Faults()); err != nil {
		return err
	}
	for _, h := range w.all() {
		h.mu.Lock()
		body := h.body
		h.mu.Unlock()
		if body != nil {
			body.Fault()
		}
	}
	return nil
}
