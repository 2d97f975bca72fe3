package engine

import (
	"path/filepath"
	"testing"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"github.com/swarmscript/swarmscript/internal/lab/store"
)

type natPort = nat.Port

func mustRef(image string) reference.Named {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		panic(err)
	}
	return named
}

func bindings(port nat.Port, host string) nat.PortMap {
	return nat.PortMap{port: {{HostPort: host}}}
}

func create(e *Engine, r networktypes.CreateRequest) (*network, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.createNetwork(r, false)
}

// benchEngine is an engine that keeps what it has.
func benchEngine(b *testing.B) *Engine {
	b.Helper()
	s, err := store.Open(filepath.Join(b.TempDir(), "lab.db"))
	if err != nil {
		b.Fatal(err)
	}
	cfg := config("m1")
	cfg.Store = s.In("engine")
	e, err := New(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close(); s.Close() })
	if err := e.pull(b.Context(), mustRef("nginx:1.27"), "", nil, discard{}); err != nil {
		b.Fatal(err)
	}
	return e
}

func fuzzEngine(t *testing.T) *Engine {
	t.Helper()
	e, err := New(t.Context(), config("m1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.pull(t.Context(), mustRef("nginx"), "", nil, discard{}); err != nil {
		t.Fatal(err)
	}
	return e
}

func createAndStart(t *testing.T, e *Engine, c *containertypes.Config, h *containertypes.HostConfig) error {
	t.Helper()
	if _, err := e.ContainerCreate(t.Context(), backend.ContainerCreateConfig{Name: "fuzzed", Config: c, HostConfig: h}); err != nil {
		return err
	}
	return e.ContainerStart(t.Context(), "fuzzed", "", "")
}
