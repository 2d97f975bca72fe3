package testengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// needed are programs that must be there, and the Debian packages that hold them.
var needed = map[string]string{
	"/usr/sbin/dockerd":        "docker.io",
	"/usr/bin/docker-init":     "docker.io",
	"/usr/sbin/docker-proxy":   "docker.io",
	"/usr/bin/containerd":      "containerd",
	"/usr/sbin/runc":           "runc",
	"/usr/sbin/iptables":       "iptables",
	"/usr/bin/docker-registry": "docker-registry",
	"/usr/sbin/sshd":           "openssh-server",
	"/usr/bin/ssh":             "openssh-client",
	"/usr/bin/ssh-keygen":      "openssh-client",
}

// systemPath is where an engine finds its helpers. What a developer has in front of it must not be taken for Debian's.
const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// Prepare installs and builds all that engines need, and does nothing when it is there.
func Prepare(ctx context.Context, log io.Writer) error {
	if err := usable(); err != nil {
		return err
	}
	if err := Install(ctx, log, needed); err != nil {
		return err
	}
	_, err := build(ctx, log)
	return err
}

func usable() error {
	if runtime.GOOS != "linux" {
		return errors.New("test engines need Linux: run the tests as root in a Debian 12 machine")
	}
	if os.Geteuid() != 0 {
		return errors.New("test engines need root: run `sudo -E go run ./internal/testengine/prepare`, and the tests the same way")
	}
	return nil
}

// missing names the packages of programs that are not there, and the programs.
func missing(needed map[string]string) (packages, programs []string) {
	seen := map[string]bool{}
	for program, pkg := range needed {
		if exists(program) {
			continue
		}
		programs = append(programs, program)
		if !seen[pkg] {
			seen[pkg] = true
			packages = append(packages, pkg)
		}
	}
	if _, err := exec.LookPath("ip"); err != nil {
		packages, programs = append(packages, "iproute2"), append(programs, "ip")
	}
	return packages, programs
}

// Install installs the Debian packages of programs that are not there: by the programs' paths, the packages that hold them.
func Install(ctx context.Context, log io.Writer, needed map[string]string) error {
	packages, programs := missing(needed)
	if len(packages) == 0 {
		return nil
	}
	if !exists("/usr/bin/apt-get") {
		return fmt.Errorf("missing %s: install Debian's packages %s, or what holds these files here", strings.Join(programs, ", "), strings.Join(packages, ", "))
	}
	undo, err := startNoServices()
	if err != nil {
		return err
	}
	defer undo()
	fmt.Fprintln(log, "installing", strings.Join(packages, " "))
	args := append([]string{"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"}, packages...)
	if apt(ctx, args...) == nil {
		return nil
	}
	// The package lists may be missing or old.
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	return apt(ctx, args...)
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// startNoServices keeps packages from starting their daemons while they are installed: Debian asks policy-rc.d first.
// Where an administrator wrote one, it stays.
func startNoServices() (undo func(), err error) {
	const path = "/usr/sbin/policy-rc.d"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("#!/bin/sh\nexit 101\n")
	return func() { os.Remove(path) }, errors.Join(err, f.Close())
}

// ready builds what is missing, and says what to run when packages are.
func ready(ctx context.Context) (cache string, err error) {
	if err := usable(); err != nil {
		return "", err
	}
	if _, programs := missing(needed); len(programs) > 0 {
		return "", fmt.Errorf("missing %s: run `go run ./internal/testengine/prepare`", strings.Join(programs, ", "))
	}
	return build(ctx, io.Discard)
}

// Tool is the path of a program that [Prepare] built: docker, dockerd or docker-proxy.
func Tool(name string) (string, error) {
	dir, err := cacheDir()
	return filepath.Join(dir, name), err
}
