package testengine

import (
	"context"
	"path/filepath"
	"testing"
)

// CLI returns the path of the docker CLI 28.5.2, which is built where it is not in the cache. It needs no root and no
// engine.
func CLI(tb testing.TB) string {
	tb.Helper()
	dir, err := build(context.Background(), tb.Output())
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, "docker")
}
