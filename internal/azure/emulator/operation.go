package emulator

import (
	"context"
	"net/http"
	"time"
)

// The states of an operation, and of what is provisioned.
const (
	inProgress = "InProgress"
	succeeded  = "Succeeded"
	failed     = "Failed"
	canceled   = "Canceled"
)

// verb is what an operation does.
type verb string

const (
	verbPut    verb = "PUT"
	verbDelete verb = "DELETE"
	// The actions of a machine.
	verbStart      verb = "start"
	verbPowerOff   verb = "powerOff"
	verbDeallocate verb = "deallocate"
	verbRestart    verb = "restart"
)

// An operation is something long-running. All that it needs is in it, so that one
// that a restart cut off is taken up again.
type operation struct {
	ID     string
	Verb   verb
	Target string // an ID
	// ByLocation is set where clients are only given a Location to poll, not a
	// status.
	ByLocation bool
	// Restart is set where the change of a machine needs it to boot again.
	Restart bool
	Status  string
	Error   *Failure `json:",omitempty"`
	Began   time.Time
	Ended   time.Time
}

// begin starts an operation on a record, which is held until it ends.
func (t *tx) begin(r *record, v verb, state string) *operation {
	op := &operation{ID: newID(), Verb: v, Target: r.ID, Status: inProgress, Began: time.Now().UTC()}
	r.Operation = op.ID
	r.properties()["provisioningState"] = state
	t.touch(r)
	t.operations[op.ID] = op
	return op
}

// start lets an operation go on in the background, until the emulator is closed.
func (e *Emulator) start(op *operation) {
	if op.Status != inProgress || e.ctx.Err() != nil {
		return
	}
	e.running.Go(func() {
		if err := sleep(e.ctx, e.opts.OperationTime+e.slowness(op)); err != nil {
			return // taken up again by whoever opens the state
		}
		err := e.work(e.ctx, op)
		if e.ctx.Err() != nil {
			return
		}
		if err := e.do(func(t *tx) error { return t.end(op, err) }); err != nil {
			e.report("operation %s on %s: %v", op.Verb, op.Target, err)
		}
	})
}

// work is what an operation does that takes time, while nothing is locked.
func (e *Emulator) work(ctx context.Context, op *operation) error {
	p, err := parsePath(op.Target)
	if err != nil {
		return err
	}
	if f := e.failureOf(op, p); f != nil {
		return f
	}
	if p.kind() == groupKind {
		return e.emptyGroup(ctx, p)
	}
	if k := kinds[p.kind()]; k.work != nil {
		return k.work(ctx, e, op)
	}
	return nil
}

// end writes down how an operation went. The deletion of a resource that others
// came to use in the meantime fails.
func (t *tx) end(op *operation, err error) error {
	done := *op
	done.Status, done.Ended = succeeded, time.Now().UTC()
	key := keyOf(op.Target)
	if err == nil && op.Verb == verbDelete {
		err = t.finishDelete(key)
	}
	if err != nil {
		done.Status, done.Error = failed, failure(err)
	}
	if r := t.edit(key); r != nil && r.Operation == op.ID {
		r.Operation, r.Failed = "", done.Error
		r.properties()["provisioningState"] = done.Status
		t.touch(r)
	}
	t.operations[op.ID] = &done
	return nil
}

// operationStatus answers who polls Azure-AsyncOperation.
func (t *tx) operationStatus(p path) (*answer, error) {
	op := t.store.operations[p.name()]
	if op == nil {
		return nil, fail(http.StatusNotFound, "OperationNotFound", "The operation '%s' was not found.", p.name())
	}
	body := object{"id": p.id(), "name": op.ID, "status": op.Status, "startTime": op.Began.Format(time.RFC3339Nano)}
	if !op.Ended.IsZero() {
		body["endTime"] = op.Ended.Format(time.RFC3339Nano)
	}
	if op.Error != nil {
		body["error"] = op.Error
	}
	a := ok(body)
	if op.Status == inProgress {
		a.retryAfter = t.opts.PollEvery
	}
	return a, nil
}

// operationResult answers who polls a Location: 202 while it goes on, then what a
// request that did not take long would have been answered.
func (t *tx) operationResult(p path) (*answer, error) {
	op := t.store.operations[p.name()]
	switch {
	case op == nil:
		return nil, fail(http.StatusNotFound, "OperationNotFound", "The operation '%s' was not found.", p.name())
	case op.Status == inProgress:
		return &answer{status: http.StatusAccepted, location: t.opts.URL + p.id() + "?api-version=2024-01-01", retryAfter: t.opts.PollEvery}, nil
	case op.Error != nil:
		return nil, op.Error
	case op.Verb == verbPut:
		target, err := parsePath(op.Target)
		if err != nil {
			return nil, err
		}
		return t.read(target)
	case op.Verb == verbDelete:
		return &answer{status: http.StatusNoContent}, nil
	}
	return ok(nil), nil
}

// accepted completes the answer to a request that began an operation.
func (t *tx) accepted(a *answer, op *operation, p path, region string) *answer {
	base := path{Subscription: p.Subscription, Namespace: p.Namespace}
	if p.kind() == groupKind {
		base.Namespace = "Microsoft.Resources"
	}
	if region == "" {
		region = "global"
	}
	base = base.child("locations", region)
	const version = "?api-version=2024-01-01"
	a.location = t.opts.URL + base.child("operationResults", op.ID).id() + version
	if !op.ByLocation {
		a.asyncOperation = t.opts.URL + base.child("operations", op.ID).id() + version
	}
	if a.status == http.StatusOK || a.status == http.StatusCreated {
		a.location = "" // the resource is where it was put
	}
	a.retryAfter = t.opts.PollEvery
	return a
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
