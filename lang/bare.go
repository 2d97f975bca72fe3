package lang

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// ExecBare runs one file in the plain dialect: no builtins of ours, nothing
// rewritten. What it prints goes to stdout. Its folder is the root that load()
// reads from. The error is a [diag.List].
func ExecBare(ctx context.Context, path string, stdout io.Writer) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return diag.List{{Summary: err.Error()}}
	}
	if _, err := os.Stat(abs); err != nil {
		return diag.List{{Summary: fmt.Sprintf("%s: %v", path, diag.FileError(err))}}
	}
	s := NewSession(Options{
		Root:  filepath.Dir(abs),
		Bare:  true,
		Print: func(msg string) { fmt.Fprintln(stdout, msg) },
	})
	_, err = s.ExecFile(ctx, abs)
	return err
}
