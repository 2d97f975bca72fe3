package serve

import (
	"bytes"
	"log/slog"
)

// swarmLog passes on what SwarmKit and Docker's server log: it is written for a
// process that is one host, so what is usual in a lab looks alarming there.
type swarmLog struct{ to *slog.Logger }

// Write implements [io.Writer], for one line at a time.
func (w *swarmLog) Write(line []byte) (int, error) {
	if !bytes.Contains(line, []byte("context canceled")) { // a host that loses its power
		w.to.Warn("swarm: " + string(bytes.TrimSpace(line)))
	}
	return len(line), nil
}
