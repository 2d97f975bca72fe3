package examples_test

import (
	_ "embed"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testhost"
)

//go:embed testdata/images.sh
var imagesScript string

// makeImages makes the images that examples/two-servers runs out of Debian's
// packages, on a machine with an engine, and brings them to another one: there
// is no registry to pull them from. Nothing is installed on either.
func makeImages(t *testing.T, first, second *testhost.Host) {
	t.Helper()
	first.Sh(imagesScript)
	// From one engine to the other, over the same SSH that swarmscript uses.
	known := filepath.Join(t.TempDir(), "known_hosts")
	writeKnownHosts(t, known, first, second)
	const pipe = `ssh -i "$1" -o UserKnownHostsFile="$5" root@"$2" docker save web:1 redis:1 registry:1 | ssh -i "$3" -o UserKnownHostsFile="$5" root@"$4" docker load --quiet`
	cmd := exec.CommandContext(t.Context(), "bash", "-ec", "set -o pipefail; "+pipe, "-", first.KeyFile, first.Address, second.KeyFile, second.Address, known)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("bringing the images to the second server: %v\n%s", err, out)
	}
}
