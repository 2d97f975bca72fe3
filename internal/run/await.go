package run

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// await waits for the machines that may only be starting, and reports whether one
// of them can be worked on now. Of the others, the state says what they were waited
// for.
func (v *view) await(ctx context.Context, patience time.Duration, tell func(scope, text string)) bool {
	var wg sync.WaitGroup
	var up atomic.Bool
	for _, s := range v.starting() {
		wg.Go(func() {
			conn, err := v.connect(ctx, s)
			if err != nil || conn == nil {
				return
			}
			defer conn.Close()
			err = conn.(*host.Conn).WaitReady(ctx, patience, func(text string) {
				v.mu.Lock()
				defer v.mu.Unlock()
				if tell != nil {
					tell(s.Address, text)
				}
			})
			if err == nil {
				up.Store(true)
				return
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.scopes[s.Address].State.Err = err
		})
	}
	wg.Wait()
	return up.Load()
}

// starting are the machines that do not answer, are to be worked on, and have not
// been seen by the project. One that has been is down, and nobody knows until when.
func (v *view) starting() (out []*resource.Scope) {
	for _, s := range v.program.Scopes {
		st := v.scopes[s.Address].State
		if s.Type != "host" || st.Status != plan.Unreachable || v.entries[s.Address].ID != "" || !remote.NotUp(st.Err) {
			continue
		}
		if slices.ContainsFunc(v.program.Declarations, func(d *resource.Declaration) bool { return d.Scope == s.Address && !d.External }) {
			out = append(out, s)
		}
	}
	return out
}
