// Command prepare makes a Debian 12 machine ready for the tests that need real Docker Engines and real hosts: it installs
// docker.io and debootstrap, builds dockerd, the docker CLI and the test images, and makes the bases of local machines. It
// does nothing when all is there.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := cmp.Or(testengine.Prepare(ctx, os.Stderr), testhost.Prepare(ctx, os.Stderr)); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}
