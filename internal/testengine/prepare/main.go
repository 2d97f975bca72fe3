// Command prepare makes a Debian 12 machine ready for the tests that need real Docker Engines: it installs docker.io and
// builds dockerd, the docker CLI and the test images. It does nothing when all is there.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := testengine.Prepare(ctx, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}
