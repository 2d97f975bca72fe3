package apply

import (
	"context"
	"errors"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Outlast has the lease last for another time from now on, and be renewed in a third
// of that: what keeps it is about to be off for a while, or is back. A holder that
// dies meanwhile is in the way for as long. Where it cannot be written the lease
// stays as it was.
func (h *Held) Outlast(ctx context.Context, ttl time.Duration, lost func(error)) error {
	h.Abandon()
	ctx = context.WithoutCancel(ctx)
	was, asked := h.opts.TTL, time.Now()
	h.opts.TTL = ttl
	limit := asked.Add(min(was, ttl) / 3)
	var err error
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		asked = time.Now()
		err = h.renewOnce(ctx, limit)
		if err == nil || errors.Is(err, resource.ErrConflict) || !time.Now().Add(pause).Before(limit) {
			break
		}
		time.Sleep(pause)
	}
	if err != nil { // it was renewed in the last third of its time, and is due
		h.opts.TTL, asked = was, asked.Add(-was/3)
	}
	renewals, cancel := context.WithCancel(ctx)
	h.cancel, h.ended = cancel, make(chan struct{})
	go h.renew(renewals, asked, lost)
	return err
}
