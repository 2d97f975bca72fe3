package builtins

import (
	"fmt"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/lang"
)

// read_file(path) returns the text of a file under the root: relative to the
// script that asks, or from the root with //.
func (in *Inputs) readFile(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var path string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "path", &path); err != nil {
		return nil, err
	}
	data, err := lang.FromThread(thread).ReadFile(thread, path)
	if err != nil {
		return nil, fmt.Errorf("read_file: %w", err)
	}
	return starlark.String(data), nil
}
