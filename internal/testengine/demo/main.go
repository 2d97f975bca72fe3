// Command demo starts a Docker Engine, applies examples/one-engine to it, asks
// the service that came to be, applies again, and takes all of it away.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

const script = "examples/one-engine/cluster.star"

func main() {
	if err := demo(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo() (err error) {
	dir, err := os.MkdirTemp("", "swarmscript-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "swarmscript")
	if err := run(nil, "go", "build", "-o", program, "./cmd/swarmscript"); err != nil {
		return err
	}
	e, err := testengine.New(testengine.Docker28)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := e.Close(); err == nil {
			err = cerr
		}
	}()
	docker, err := testengine.Tool("docker")
	if err != nil {
		return err
	}
	env := []string{"DOCKER_HOST=" + e.Host}
	if err := run(env, docker, "load", "--quiet", "--input", filepath.Join(filepath.Dir(docker), "images.tar")); err != nil {
		return err
	}
	vars := []string{"--var", "address=" + e.Addr, "--var", "image=" + testengine.Web1}
	for _, args := range [][]string{
		append([]string{"plan", script}, vars...),
		append([]string{"apply", script, "--auto-approve"}, vars...),
		append([]string{"apply", script, "--auto-approve"}, vars...),
		append([]string{"destroy", script, "--auto-approve", "--allow-data-loss"}, vars...),
	} {
		fmt.Println("\n$ swarmscript", strings.Join(args, " "))
		if err := run(env, program, args...); err != nil {
			return err
		}
	}
	return nil
}

func run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}
