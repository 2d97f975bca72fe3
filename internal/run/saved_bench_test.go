package run

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSaved saves a plan of n live services, and reads it back.
func BenchmarkSaved(b *testing.B) {
	collectAsProgram(b)
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			f := startFake(b)
			b.Setenv("DOCKER_HOST", f.host)
			opts := Options{File: write(b, b.TempDir(), fmt.Sprintf(fakeLoop, n)), Detach: true}
			applyFake(b, opts)
			p, err := Plan(b.Context(), opts)
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			path := filepath.Join(b.TempDir(), "x.plan")
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Save(path, testVersion); err != nil {
					b.Fatal(err)
				}
				if _, err := LoadPlan(path, testVersion); err != nil {
					b.Fatal(err)
				}
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size()), "bytes-of-file")
		})
	}
}
