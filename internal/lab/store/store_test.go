package store_test

import (
	"errors"
	"maps"
	"path/filepath"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/store"
)

func TestStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b := s.In("host").In("m1")
	if v := b.Get("a"); v != nil {
		t.Errorf("an empty store has %q", v)
	}
	if err := b.PutAll(map[string][]byte{"a": []byte("1"), "b": []byte("2"), "empty": {}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.In("deep").Put("x", []byte("y")), b.Delete("b"), b.Delete("never")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(path); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	s.Close()

	s, err = store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b = s.In("host").In("m1")
	got := map[string]string{}
	if err := b.All(func(k string, v []byte) error { got[k] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": "1", "empty": ""}; !maps.Equal(got, want) {
		t.Errorf("after it was opened again: %v, want %v", got, want)
	}
	if v := b.In("deep").Get("x"); string(v) != "y" {
		t.Errorf("deep: %q", v)
	}
	if err := errors.Join(b.In("deep").Clear(), b.In("never").Clear(), s.In("never").Clear(), s.In("never").In("x").Clear()); err != nil {
		t.Fatal(err)
	}
	if v := b.In("deep").Get("x"); v != nil || b.Get("a") == nil {
		t.Errorf("clear left %q, or took too much", v)
	}
}
