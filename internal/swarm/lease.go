package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// The lease is a label of the ledger. Whoever writes it must have read it as
// it was: the whole text is compared, and the engine refuses a write under a
// version index that has moved. So of two writers that have read the same
// lease, one goes through, and the other finds a lease that is not the one it
// read. The version index alone would be too strict: the ledger's other labels
// change too.

// ReadLease implements [resource.Leaser].
func (c *Conn) ReadLease(ctx context.Context, project string) (*resource.Lease, time.Time, error) {
	if _, err := c.docker.Ready(ctx); err != nil {
		return nil, time.Time{}, err
	}
	var now time.Time
	var clockErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		info, err := c.Docker().Info(ctx)
		if clockErr = remote.Err(err); clockErr == nil {
			now, clockErr = parseClock(info)
		}
	})
	cfg, exists, err := c.readLedger(ctx, project)
	wg.Wait()
	switch {
	case err != nil:
		return nil, now, err
	case clockErr != nil:
		return nil, now, clockErr
	case !exists:
		return nil, now, nil
	}
	l, err := decodeLease(cfg.Spec.Labels[labelLease])
	return l, now, err
}

func decodeLease(text string) (*resource.Lease, error) {
	if text == "" {
		return nil, nil
	}
	l := &resource.Lease{}
	if err := json.Unmarshal([]byte(text), l); err != nil {
		return nil, fmt.Errorf("the project's lease is damaged: %w", err)
	}
	l.Version = text
	return l, nil
}

func leaseText(l *resource.Lease) string {
	if l == nil {
		return ""
	}
	text, _ := l.Version.(string)
	return text
}

// WriteLease implements [resource.Leaser].
func (c *Conn) WriteLease(ctx context.Context, project string, old, next *resource.Lease) (*resource.Lease, error) {
	text := ""
	if next != nil {
		raw, err := json.Marshal(next)
		if err != nil {
			return nil, err
		}
		text = string(raw)
	}
	tried := false
	err := c.changeLedger(ctx, project, func(cfg *swarm.Config) (bool, error) {
		is := cfg.Spec.Labels[labelLease]
		switch {
		case cfg.ID == "" && next == nil:
			return false, nil // dropped with the ledger
		case is == text && tried:
			return false, nil // an earlier try went through after all
		case is != leaseText(old):
			return false, fmt.Errorf("the lease: %w", resource.ErrConflict)
		}
		tried = true
		if cfg.ID == "" {
			cfg.Spec.Data = newKey()
			cfg.Spec.Labels = encodeLedger(nil, project, resource.Ledger{})
		}
		if cfg.Spec.Labels[labelLedger] == "" {
			return false, fmt.Errorf("config %s is not ours", cfg.Spec.Name)
		}
		if text == "" {
			delete(cfg.Spec.Labels, labelLease)
		} else {
			cfg.Spec.Labels[labelLease] = text
		}
		return true, nil
	})
	if err != nil || next == nil {
		return nil, err
	}
	out := *next
	out.Version = text
	return &out, nil
}
