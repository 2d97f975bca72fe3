package testengine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

const dockerVersion = "28.5.2"

// A binary is a program that is built here and kept in the user's cache folder.
type binary struct {
	name    string
	module  string // its module's folder, from this package's
	pkg     string
	ldflags string
}

var binaries = []binary{
	{"docker", "tools/dockercli", "github.com/docker/cli/cmd/docker", "-X github.com/docker/cli/cli/version.Version=" + dockerVersion},
	{"dockerd", "tools/dockerd", "github.com/docker/docker/cmd/dockerd", "-X github.com/docker/docker/dockerversion.Version=" + dockerVersion},
	// dockerd 28 hands its proxy an open socket, which the one of Debian's package does not know.
	{"docker-proxy", "tools/dockerd", "github.com/docker/docker/cmd/docker-proxy", ""},
}

// cacheDir is the folder of the binaries and images.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "swarmscript-test", "docker-"+dockerVersion)
	return dir, os.MkdirAll(dir, 0o755)
}

// build makes what is missing in the cache and returns its folder. Test processes that come at once wait for the first.
func build(ctx context.Context, log io.Writer) (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	if complete(dir) {
		return dir, nil
	}
	lock, err := lockFile(filepath.Join(dir, "lock"), true)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	source, err := sourceDir()
	if err != nil {
		return "", err
	}
	for _, b := range binaries {
		if err := b.build(ctx, source, dir, log); err != nil {
			return "", err
		}
	}
	return dir, buildImages(ctx, source, dir, log)
}

func complete(dir string) bool {
	for _, b := range binaries {
		if !exists(filepath.Join(dir, b.name)) {
			return false
		}
	}
	return exists(filepath.Join(dir, imagesFile))
}

func (b binary) build(ctx context.Context, source, dir string, log io.Writer) error {
	path := filepath.Join(dir, b.name)
	if exists(path) {
		return nil
	}
	fmt.Fprintf(log, "building %s %s\n", b.name, dockerVersion)
	return goBuild(ctx, filepath.Join(source, b.module), path, "-mod=readonly", "-ldflags=-s -w "+b.ldflags, b.pkg)
}

// goBuild runs `go build` in a folder without cgo, and moves what it made into place in one step.
func goBuild(ctx context.Context, dir, out string, args ...string) error {
	part := out + ".part"
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-buildvcs=false", "-o", part}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS=", "GOARCH=")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, output.Bytes())
	}
	return os.Rename(part, out)
}

// sourceDir finds this package's folder: tests run in the folder of their package, `make` at the root.
func sourceDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		source := filepath.Join(dir, "internal", "testengine")
		if exists(filepath.Join(source, "boot.sh")) {
			return source, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("run this inside the source tree of swarmscript: internal/testengine is not above %s", dir)
		}
		dir = parent
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
