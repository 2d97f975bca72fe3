package lang

import (
	"errors"

	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// Parse reports what is wrong with the syntax of a script. Nothing is resolved
// or run. The error is a [diag.List].
func Parse(name string, text []byte) error {
	opts := &syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}
	_, err := opts.Parse(name, text, syntax.RetainComments)
	var syn syntax.Error
	if errors.As(err, &syn) {
		return diag.List{splitHint(diag.Errorf(toPos(syn.Pos), "%s", syn.Msg))}
	}
	if err != nil {
		return diag.From(err)
	}
	return nil
}
