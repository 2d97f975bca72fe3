package azure

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Hundreds of machines come and go at once. If each were asked after by itself, the
// questions alone would be more than Azure answers: one list of the group tells of
// all. The operation of one is asked only where the list shows that it is not as it
// should be.

// operation is what a write of a machine began.
type operation struct {
	// asked reports whether it has ended, and how; nil of one that an earlier run
	// began.
	asked func(context.Context) (bool, error)
	every time.Duration // how often Azure wants to be asked
}

func operationOf[T any](p *runtime.Poller[T]) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		if _, err := p.Poll(ctx); err != nil || !p.Done() {
			return false, explain(err)
		}
		_, err := p.Result(ctx)
		return true, explain(err)
	}
}

// interval is how often the answer to a write wants its operation to be asked after.
func interval(answer *http.Response) time.Duration {
	if answer == nil {
		return pollEvery
	}
	return cmp.Or(retryAfter(answer.Header), pollEvery)
}

// made waits until a machine is there, and returns it: one that an earlier run began
// also where that went wrong.
func (c *Conn) made(ctx context.Context, cl *clients, name string, op operation) (*resource.Object, error) {
	for {
		l, err := c.next(ctx, cl, op.every)
		if err != nil {
			return nil, err
		}
		vm := l.vms[strings.ToLower(name)]
		switch state := provisioning(vm); {
		case ongoing(state):
			continue
		case state == "Succeeded":
			return l.object(ctx, c, cl, vm)
		case op.asked == nil:
			o, err := c.readVM(ctx, cl, name)
			if err != nil || o.Unsettled == "" || o.Stuck {
				return o, err
			}
			continue
		}
		ended, err := op.asked(ctx)
		if err != nil {
			return nil, err
		}
		if ended {
			return c.readVM(ctx, cl, name)
		}
	}
}

// gone waits until a machine is not there any more, nor what goes with it: that may
// take Azure longer.
func (c *Conn) gone(ctx context.Context, cl *clients, name string, op operation) error {
	for {
		l, err := c.next(ctx, cl, op.every)
		if err != nil {
			return err
		}
		if ongoing(provisioning(l.vms[strings.ToLower(name)])) {
			continue
		}
		ended, err := op.asked(ctx)
		if ended && err == nil || isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// provisioning is the state of a machine's last write, "" of one that is not there.
func provisioning(vm *armcompute.VirtualMachine) string {
	if vm == nil {
		return ""
	}
	return text(val(vm.Properties).ProvisioningState)
}

func ongoing(state string) bool {
	switch state {
	case "", "Succeeded", "Failed", "Canceled":
		return false
	}
	return true
}

// rolls are the lists of a group's machines that are made while some are waited for.
type rolls struct {
	mu   sync.Mutex
	next *roll // the one that has not begun, nil where nobody waits
}

// roll is one of them.
type roll struct {
	done chan struct{} // closed when it is made, or is not going to be
	left bool          // whoever was to make it has gone
	vms  map[string]*armcompute.VirtualMachine
	err  error

	ask    chan struct{} // has room for the one who asks for what is around
	around *live         // the addresses and what runs, once they were asked for
}

// next returns a list that was begun after it was called, for which all wait that ask
// in the meantime. The first of them makes it.
//
// A list that fails is made again, a few times: all would fail with it, and each would
// look at everything anew.
func (c *Conn) next(ctx context.Context, cl *clients, every time.Duration) (*roll, error) {
	const tries = 5
	for try := 1; ; {
		c.rolls.mu.Lock()
		l := c.rolls.next
		first := l == nil
		if first {
			l = &roll{done: make(chan struct{}), ask: make(chan struct{}, 1)}
			c.rolls.next = l
		}
		c.rolls.mu.Unlock()
		if first {
			c.call(ctx, cl, l, every)
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		passes := errors.Is(l.err, resource.ErrTransient) || errors.Is(l.err, resource.ErrUnreachable)
		switch {
		case l.left && ctx.Err() == nil:
		case passes && try < tries && ctx.Err() == nil:
			try++
		default:
			return l, l.err
		}
	}
}

// call makes a list, after a while.
func (c *Conn) call(ctx context.Context, cl *clients, l *roll, every time.Duration) {
	defer close(l.done)
	l.err = pause(ctx, every)
	c.rolls.mu.Lock()
	c.rolls.next = nil
	c.rolls.mu.Unlock()
	var list []*armcompute.VirtualMachine
	if l.err == nil {
		list, l.err = listVMs(ctx, cl, c.Group())
	}
	l.left = ctx.Err() != nil
	l.vms = map[string]*armcompute.VirtualMachine{}
	for _, vm := range list {
		l.vms[strings.ToLower(text(vm.Name))] = vm
	}
}

// object is one of its machines with its addresses, which are asked for once for all.
func (l *roll) object(ctx context.Context, c *Conn, cl *clients, vm *armcompute.VirtualMachine) (*resource.Object, error) {
	select {
	case l.ask <- struct{}{}:
		defer func() { <-l.ask }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l.around == nil {
		around := &live{views: map[string]*armcompute.VirtualMachineInstanceView{}}
		if err := atOnce(c.around(ctx, cl, around)); err != nil {
			return nil, err
		}
		l.around = around
	}
	return c.vmObject(cl, l.around, vm), nil
}
