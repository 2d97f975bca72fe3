package placement

import (
	"fmt"
	"testing"
)

// BenchmarkCheck is the forecast of a large project: what it adds to a plan.
func BenchmarkCheck(b *testing.B) {
	kinds := map[string]func(i int, s *Service){
		"plain":    func(i int, s *Service) {},
		"reserved": func(i int, s *Service) { s.Memory, s.CPU = 1<<20, 1e6 },
		"ports":    func(i int, s *Service) { s.Ports, s.Tasks = []Port{{uint16(1 + i%60000), "tcp"}}, 3 },
		"labelled": func(i int, s *Service) {
			s.Constraints, s.Memory = []string{fmt.Sprintf("node.labels.zone==%d", i%10), "node.role==worker"}, 1<<20
		},
		"too many": func(i int, s *Service) { s.Memory = 1 << 30 },
	}
	for _, name := range sortedKeys(kinds) {
		b.Run(name, func(b *testing.B) {
			nodes := swarm(100, func(v int, n *Node) {
				n.Memory = 64 << 30
				n.CPU = 64e9
				n.Labels = map[string]string{"zone": fmt.Sprint(v % 10)}
			})
			services := make([]Service, 10000)
			for i := range services {
				services[i] = Service{Name: fmt.Sprint("web-", i), Tasks: 2, Settled: i%2 == 0}
				kinds[name](i, &services[i])
			}
			b.ResetTimer()
			for range b.N {
				Check(nodes, services)
			}
		})
	}
}
