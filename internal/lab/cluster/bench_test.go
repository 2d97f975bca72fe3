package cluster_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
)

// BenchmarkSwarm makes swarms: the seconds until all nodes are ready, and the memory
// and goroutines that they then take.
func BenchmarkSwarm(b *testing.B) {
	for _, size := range []struct{ managers, workers int }{{1, 0}, {3, 3}, {3, 100}} {
		b.Run(fmt.Sprintf("%d+%d", size.managers, size.workers), func(b *testing.B) {
			for b.Loop() {
				l := newLab(b)
				began := time.Now()
				ms, ws := l.swarm(size.managers, size.workers)
				l.eventually("all ready", func() string {
					for name, n := range ms[0].nodes() {
						if n.Status.State != swarm.NodeStateReady {
							return name
						}
					}
					return ""
				})
				b.ReportMetric(time.Since(began).Seconds(), "s/swarm")
				runtime.GC()
				var mem runtime.MemStats
				runtime.ReadMemStats(&mem)
				b.ReportMetric(float64(mem.Sys-mem.HeapReleased)/(1<<20), "MB")
				b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
				for _, h := range append(ms, ws...) {
					h.off()
				}
			}
		})
	}
}
