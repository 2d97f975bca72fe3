package builtins

import (
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// Apart takes down what do declares as if it were a script of its own, with
// inputs of its own: it sees nothing of what was declared before, and nothing of
// it stays. The problems are those that only the whole shows; with an error of
// do, that is all there is.
func (r *Recorder) Apart(inputs *Inputs, do func() error) (*resource.Program, diag.List, error) {
	recorded, earlier, outer := r.recorded, r.earlier, *r.inputs
	fresh := NewRecorder(r.inputs, r.kinds)
	r.recorded, r.earlier, *r.inputs = fresh.recorded, nil, *inputs
	defer func() { r.recorded, r.earlier, *r.inputs = recorded, earlier, outer }()
	if err := do(); err != nil {
		return nil, nil, err
	}
	p, problems := r.Program()
	program := *p // r is something else's again from now on
	return &program, problems, nil
}

// Declared reports whether anything was declared, and where the first of it is.
func (r *Recorder) Declared() (diag.Pos, bool) {
	if len(r.program.Declarations) > 0 {
		return r.program.Declarations[0].Pos, true
	}
	return r.project, r.project.IsValid()
}
