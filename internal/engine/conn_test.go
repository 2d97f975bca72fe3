package engine

import (
	"slices"
	"testing"
)

func TestOneLine(t *testing.T) {
	got := oneLine([]string{"WARNING: Running Swarm in a two-manager configuration.\n         Refer to the docs.", "plain"})
	if want := []string{"Running Swarm in a two-manager configuration. Refer to the docs.", "plain"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
