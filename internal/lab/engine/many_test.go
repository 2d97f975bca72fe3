package engine

import (
	"fmt"
	"testing"

	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
)

// BenchmarkThousand creates and starts 1,000 containers, written through.
func BenchmarkThousand(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e := benchEngine(b)
		b.StartTimer()
		for i := range 1000 {
			name := fmt.Sprintf("web-%d", i)
			if _, err := e.ContainerCreate(b.Context(), backend.ContainerCreateConfig{Name: name, Config: &containertypes.Config{Image: "nginx:1.27"}}); err != nil {
				b.Fatal(err)
			}
			if err := e.ContainerStart(b.Context(), name, "", ""); err != nil {
				b.Fatal(err)
			}
		}
	}
}
