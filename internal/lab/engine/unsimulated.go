package engine

import (
	"context"
	"io"

	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/registry"
	"github.com/moby/go-archive"
)

// What needs a process, or a file system, of a container: it is not there, and
// says so. A container that does not exist is still told first.

func (e *Engine) lacks(name, what string) error {
	return e.with(name, func(*container) error { return notSimulated(what) })
}

// ContainerExecCreate is docker exec.
func (e *Engine) ContainerExecCreate(name string, _ *containertypes.ExecOptions) (string, error) {
	return "", e.lacks(name, "exec")
}

// ContainerExecInspect knows no exec.
func (e *Engine) ContainerExecInspect(id string) (*backend.ExecInspect, error) {
	return nil, notFound("No such exec instance: %s", id)
}

// ContainerExecResize knows no exec.
func (e *Engine) ContainerExecResize(_ context.Context, id string, _, _ uint32) error {
	return notFound("No such exec instance: %s", id)
}

// ContainerExecStart knows no exec.
func (e *Engine) ContainerExecStart(_ context.Context, id string, _ backend.ExecStartConfig) error {
	return notFound("No such exec instance: %s", id)
}

// ExecExists knows no exec.
func (e *Engine) ExecExists(id string) (bool, error) {
	return false, notFound("No such exec instance: %s", id)
}

// ContainerArchivePath is docker cp.
func (e *Engine) ContainerArchivePath(name, _ string) (io.ReadCloser, *containertypes.PathStat, error) {
	return nil, nil, e.lacks(name, "files of a container")
}

// ContainerExport is docker export.
func (e *Engine) ContainerExport(_ context.Context, name string, _ io.Writer) error {
	return e.lacks(name, "files of a container")
}

// ContainerExtractToDir is docker cp.
func (e *Engine) ContainerExtractToDir(name, _ string, _, _ bool, _ io.Reader) error {
	return e.lacks(name, "files of a container")
}

// ContainerStatPath is docker cp.
func (e *Engine) ContainerStatPath(name, _ string) (*containertypes.PathStat, error) {
	return nil, e.lacks(name, "files of a container")
}

// ContainerChanges is docker diff.
func (e *Engine) ContainerChanges(_ context.Context, name string) ([]archive.Change, error) {
	return nil, e.lacks(name, "files of a container")
}

// ContainerResize is of a terminal.
func (e *Engine) ContainerResize(_ context.Context, name string, _, _ uint32) error {
	return e.lacks(name, "terminals")
}

// ContainerStats is docker stats.
func (e *Engine) ContainerStats(_ context.Context, name string, _ *backend.ContainerStatsConfig) error {
	return e.lacks(name, "stats")
}

// ContainerTop is docker top.
func (e *Engine) ContainerTop(name, _ string) (*containertypes.TopResponse, error) {
	return nil, e.lacks(name, "processes")
}

// CreateImageFromContainer is docker commit.
func (e *Engine) CreateImageFromContainer(_ context.Context, name string, _ *backend.CreateImageConfig) (string, error) {
	return "", e.lacks(name, "commit")
}

// AuthenticateToRegistry is docker login: a lab's registries believe anybody.
func (e *Engine) AuthenticateToRegistry(context.Context, *registry.AuthConfig) (string, string, error) {
	return "Login Succeeded", "", nil
}
