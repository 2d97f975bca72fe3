package whatif

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"
)

// A hundred nodes and two services of a thousand tasks, one of which is renewed
// while the other grows.
func BenchmarkSimulate(b *testing.B) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("n%02d", i))
	}
	on := strings.Repeat(strings.Join(names, " ")+" ", 10)
	for b.Loop() {
		in := swarmOf(strings.Join(names, " ")).live(spec("web", 1000), on).live(spec("api", 1000), on)
		in.update(spec("web", 1000, image("app:2"), update(swarm.UpdateConfig{Parallelism: 10})))
		in.update(spec("api", 1500))
		in.Steps[1].After = nil
		r, err := Simulate(b.Context(), *in)
		if err != nil || r.Cut || r.Services[1].After != 1500 || r.Services[0].Renewed != 1000 {
			b.Fatalf("%v, %+v", err, r)
		}
	}
}
