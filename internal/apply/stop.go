package apply

import (
	"context"
	"errors"
)

// errCut says that a check was ended because the run is stopped.
var errCut = errors.New("stopped")

// untilStopped returns a context that also ends when the run is stopped, and what
// lets go of it.
func (e *executor) untilStopped(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-e.in.Stop:
			cancel(errCut)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}
