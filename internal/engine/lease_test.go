package engine

import "testing"

// Whatever somebody wrote into a volume's label is a lease or an error.
func FuzzLease(f *testing.F) {
	f.Add(`{"Holder":"eve@laptop","Why":"apply","Since":"2026-11-21T10:00:00Z","Expires":"2026-11-21T10:00:30Z"}`)
	f.Add("null")
	f.Add(`{"Holder":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		g := generation{1, text}
		l, err := g.lease()
		if text != "" && (l == nil) == (err == nil) {
			t.Errorf("neither a lease nor an error: %v, %v", l, err)
		}
		if l != nil && l.Version != g {
			t.Errorf("its version is %v", l.Version)
		}
	})
}
