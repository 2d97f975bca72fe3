package lang

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"go.starlark.net/syntax"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// Parse reports what is wrong with the syntax of a script. Nothing is resolved
// or run. The error is a [diag.List].
func Parse(name string, text []byte) error {
	if d := checkText(name, text); d != nil {
		return diag.List{d}
	}
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

// checkText finds the bytes that the scanner does not tell about as what they
// are: at a NUL it ends the file, and what follows would be pruned.
func checkText(name string, text []byte) *diag.Diagnostic {
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return diag.Errorf(diag.Pos{File: name, Line: 1, Col: 1}, "the file begins with a byte order mark: save it as UTF-8 without one")
	}
	i := bytes.IndexByte(text, 0)
	if i < 0 {
		return nil
	}
	line := text[bytes.LastIndexByte(text[:i], '\n')+1 : i]
	return diag.Errorf(diag.Pos{File: name, Line: bytes.Count(text[:i], []byte{'\n'}) + 1, Col: utf8.RuneCount(line) + 1},
		"the file holds a NUL byte: it is damaged, or no text in UTF-8")
}
