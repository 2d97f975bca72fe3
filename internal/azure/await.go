package azure

import (
	"context"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// goingPause is how far apart something is looked at that may go in this very run.
const goingPause = 2 * time.Second

// await looks until nothing is in the way of a step any more, as long as the step may
// wait, and returns what still is then. Between two looks others have its turn: one of
// them may be who takes it away.
func await(ctx context.Context, r *resource.Request, look func() (inTheWay string, err error)) (stays string, err error) {
	for begun := time.Now(); ; {
		there, err := look()
		if err != nil || there == "" || r.Timeout > 0 && time.Since(begun) >= r.Timeout {
			return there, err
		}
		toProgress(r)("waits for " + there)
		waits(r)
		if err := pause(ctx, goingPause); err != nil {
			return there, err
		}
		if err := goesOn(ctx, r); err != nil {
			return there, err
		}
	}
}

// waits lets others write: of this step Azure has all that it needs for now.
func waits(r *resource.Request) {
	if r.Waits != nil {
		r.Waits()
	}
}

// goesOn waits for the turn of a step that has let others write.
func goesOn(ctx context.Context, r *resource.Request) error {
	if r.Turn == nil {
		return nil
	}
	return r.Turn(ctx)
}
