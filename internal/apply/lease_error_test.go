package apply

import (
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// What is not known of a holder is not told: no empty parentheses, no year 1.
func TestHeldLeaseError(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 4, 7, 0, time.UTC)
	for want, l := range map[string]resource.Lease{
		"shop is being applied by eve@laptop (apply cluster.star) since 2026-11-21T10:04:07Z; wait for it, or use --lock-timeout; a dead holder's lease expires at 2026-11-21T10:04:37Z": {Holder: "eve@laptop", Why: "apply cluster.star", Since: at, Expires: at.Add(30 * time.Second)},
		"shop is being applied by somebody who was faster; wait for it, or use --lock-timeout":                                                                                           {Holder: "somebody who was faster"},
	} {
		if got := (&HeldLease{Project: "shop", Lease: l}).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
