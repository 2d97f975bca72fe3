package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
)

// An abort while the ledger is written comes after the changes, an abort
// before the first step does not.
func TestAbortIsToldApart(t *testing.T) {
	for _, after := range []bool{true, false} {
		f, err := os.Create(filepath.Join(t.TempDir(), "err"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		a := &app{in: os.Stdin, out: f, err: f, getenv: func(string) string { return "" }, interrupt: &interrupt{first: true}}
		canceled := fmt.Errorf("everything was applied, but the project's ledger could not be written: %w", context.Canceled)
		got := error(nil)
		if after {
			got = a.failedAfter(canceled, apply.ExitInterrupted, nil, nil)
		} else {
			got = a.failed(canceled, nil, nil)
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if got != exit(apply.ExitInterrupted) || strings.Contains(string(text), "nothing was changed") == after || strings.Contains(string(text), "everything was applied") != after {
			t.Errorf("after the changes %v: %v, %s", after, got, text)
		}
	}
}
