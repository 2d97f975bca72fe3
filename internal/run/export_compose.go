package run

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/swarmscript/swarmscript/internal/compose"
	"github.com/swarmscript/swarmscript/internal/diag"
)

// ExportOptions say what [ExportCompose] writes.
type ExportOptions struct {
	compose.ExportOptions
	// Dir is the folder that the file goes into, "" for none: then it stands alone,
	// and what it reads is missing.
	Dir string
	// Strict makes each warning an error.
	Strict bool
}

// ComposeFile is the name of an exported stack file.
const ComposeFile = compose.FileName

// ExportCompose evaluates a script and writes what it declares as a stack file.
// The script is returned also with an error, for showing its lines.
func ExportCompose(ctx context.Context, opts Options, o ExportOptions) (*Script, *compose.Exported, error) {
	s, err := Evaluate(ctx, opts)
	if err != nil {
		return s, nil, err
	}
	o.Context = func(dir string) string {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return dir
		}
		here, err := filepath.Abs(o.Dir)
		if err != nil {
			return abs
		}
		rel, err := filepath.Rel(here, abs)
		if err != nil {
			return filepath.ToSlash(abs)
		}
		if rel = filepath.ToSlash(rel); rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
			return rel
		}
		return "./" + rel
	}
	out, err := compose.Export(s.Program, o.ExportOptions)
	if err != nil {
		return s, nil, err
	}
	if o.Dir == "" && len(out.Files) > 0 {
		out.Warnings = append(out.Warnings, &diag.Diagnostic{Severity: diag.Warning,
			Summary: "the file reads contents from files beside it, which are not written", Hint: "--out DIR writes all of them"})
	}
	s.expand(out.Warnings)
	if o.Strict {
		for _, w := range out.Warnings {
			w.Severity = diag.Error
		}
		if err := out.Warnings.Err(); err != nil {
			return s, nil, err
		}
	}
	return s, out, nil
}
