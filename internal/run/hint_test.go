package run

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Whatever is in the file beside the script, a project's entries are read from
// it or there are none, and can be written into it.
func FuzzHint(f *testing.F) {
	f.Add([]byte(`{"shop/test":[{"Address":"engine.default","Type":"engine","Endpoint":"unix:///x","ID":"1"}]}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"shop/test":null}`))
	f.Add([]byte(`{"shop/test":[null,{"Type":"swarm","Endpoint":"engine.none"}],"a":`))
	f.Fuzz(func(t *testing.T, data []byte) {
		root := t.TempDir()
		path := filepath.Join(root, hintFile)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Evaluate(t.Context(), Options{File: write(t, root, `project("shop", env = "test")`)})
		if err != nil {
			t.Fatal(err)
		}
		v := newView(&Script{Program: s.Program, root: root})
		v.remember(readHint(root, "shop/test"))
		_ = v.forgotten(map[string]bool{})
		want := []resource.ScopeEntry{{Address: "engine.a", Type: "engine"}}
		if err := writeHint(root, "shop/test", want); err != nil {
			t.Fatal(err)
		}
		if got := readHint(root, "shop/test"); len(got) != 1 || got[0] != want[0] {
			t.Errorf("got %v", got)
		}
	})
}
