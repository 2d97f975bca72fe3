package compose

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkLoad reads a file of 100 services.
func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	text.WriteString("networks: {bench: {external: true}}\nservices:\n")
	for i := range 100 {
		fmt.Fprintf(&text, "  web-%d: {image: 'swarmtest/web:1', networks: [bench], environment: {ID: '%d'}, deploy: {replicas: 0, labels: {id: '%d'}}}\n", i, i, i)
	}
	o := Options{Name: "bench", Root: "/nowhere", Files: []string{"c.yml"}, Read: func(string) ([]byte, error) { return []byte(text.String()), nil }}
	o.Exists = func(string) bool { return false }
	for b.Loop() {
		if s, _, problems := Load(b.Context(), o); s == nil {
			b.Fatal(problems)
		}
	}
}
