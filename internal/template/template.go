// Package template fills Go templates (text/template), where what is filled in
// may not be known yet: the address of a machine that an apply is going to
// make, or a secret. Such a value may be written out, and nothing else: a
// template that asked whether it is set, or compared it, would say one thing in
// the first plan and another in the next.
//
// It is replaced by a token while the template runs, and the text is cut at
// the tokens afterwards.
package template

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/swarmscript/swarmscript/internal/value"
)

// A template's output and work are bounded, as a script's are.
const (
	maxText  = 16 << 20
	maxSteps = 1_000_000 // rounds of loops
	callCost = 100       // rounds that the call of a template counts for: it takes some 40 us where calls are deep
)

// Fill returns the text that a template gives with these variables: a string,
// or a Template or Secret where some are not known yet or secret. name is what
// errors call it.
func Fill(name, text string, vars *value.Map) (value.Value, error) {
	r := &run{mark: unused(text, vars)}
	t, err := template.New(name).Option("missingkey=error").Funcs(r.functions()).Parse(text)
	if err != nil {
		return nil, r.explain(err, vars)
	}
	for _, part := range t.Templates() {
		if part.Tree != nil {
			r.guard(part.Tree, part.Tree.Root, callName)
		}
	}
	data := make(map[string]any, vars.Len())
	for _, e := range vars.Entries {
		data[e.Key] = r.fill(e.Value)
	}
	if err := t.Execute(r, data); err != nil {
		return nil, r.explain(err, vars)
	}
	if r.misuse != nil {
		return nil, r.explain(r.misuse, vars)
	}
	return r.cut(r.out.String()), nil
}

// run is one execution.
type run struct {
	out    strings.Builder
	mark   string // occurs in nothing but tokens
	values []value.Value
	steps  int
	misuse error // of a hole, where a function cannot say it
}

// Write collects the text.
func (r *run) Write(p []byte) (int, error) {
	if r.out.Len()+len(p) > maxText {
		return 0, fmt.Errorf("it gives more than %d MiB of text", maxText>>20)
	}
	return r.out.Write(p)
}

// unused returns a mark that is in none of the texts.
func unused(text string, vars *value.Map) string {
	all := text + value.Text(vars)
	for i := 0; ; i++ {
		if mark := fmt.Sprintf("\x00%d\x00", i); !strings.Contains(all, mark) {
			return mark
		}
	}
}

// none is None: false, and nothing when written out.
type none string

// fill makes what a template works with of a value.
func (r *run) fill(v value.Value) any {
	switch v := v.(type) {
	case nil:
		return none("")
	case value.Ref, *value.Template, value.Secret:
		return r.hole(v)
	case value.List:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.fill(e)
		}
		return out
	case *value.Map:
		out := make(map[string]any, v.Len())
		for _, e := range v.Entries {
			out[e.Key] = r.fill(e.Value)
		}
		return out
	}
	return v
}

func (r *run) hole(v value.Value) hole {
	at := slices.IndexFunc(r.values, func(old value.Value) bool { return value.Equal(old, v) })
	if at < 0 {
		at = len(r.values)
		r.values = append(r.values, v)
	}
	return hole{run: r, token: fmt.Sprintf("%s%d\x00", r.mark, at)}
}

// hole stands for a value that may only be written out. It cannot be compared,
// counted or indexed.
type hole struct {
	run   *run
	token string
	_     []struct{} // makes == an error
}

// Format writes the token, where it is asked for as text and as it is.
func (h hole) Format(f fmt.State, verb rune) {
	_, wide := f.Width()
	_, precise := f.Precision()
	if verb != 'v' && verb != 's' || wide || precise || f.Flag('#') {
		h.run.misuse = h.refusal()
	}
	_, _ = f.Write([]byte(h.token))
}

// MarshalJSON refuses: what JSON has to escape is not known.
func (h hole) MarshalJSON() ([]byte, error) { return nil, h.refusal() }

func (h hole) refusal() error {
	var at int
	_, _ = fmt.Sscanf(strings.TrimPrefix(h.token, h.run.mark), "%d", &at)
	return h.run.refusal(h.run.values[at])
}

func (r *run) refusal(v value.Value) error {
	what := "a sensitive value"
	if !value.Known(v) {
		what = fmt.Sprintf("%v, which is known after apply,", v)
	}
	return fmt.Errorf("%s can only be written out as it is", what)
}

// known lets through what a condition or a loop may ask about.
func known(v any) (any, error) {
	if h, ok := v.(hole); ok {
		return nil, h.refusal()
	}
	return v, nil
}

// The names of the functions that guard adds. A template that writes them
// itself does no harm.
const (
	knownName = "_known"
	stepName  = "_step"
	callName  = "_call"
)

// guard adds to each condition and loop that what it asks about is known, and
// to each loop that its rounds are counted. counter is the function that counts
// the list itself, if any.
func (r *run) guard(t *parse.Tree, list *parse.ListNode, counter string) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.IfNode:
			ask(t, n.Pipe)
			r.guard(t, n.List, "")
			r.guard(t, n.ElseList, "")
		case *parse.WithNode:
			ask(t, n.Pipe)
			r.guard(t, n.List, "")
			r.guard(t, n.ElseList, "")
		case *parse.RangeNode:
			ask(t, n.Pipe)
			r.guard(t, n.List, stepName)
			r.guard(t, n.ElseList, "")
		}
	}
	if counter != "" {
		step := &parse.ActionNode{NodeType: parse.NodeAction, Pos: list.Pos}
		step.Pipe = &parse.PipeNode{NodeType: parse.NodePipe, Pos: list.Pos, Cmds: []*parse.CommandNode{call(t, counter, list.Pos)}}
		list.Nodes = slices.Insert(list.Nodes, 0, parse.Node(step))
	}
}

func ask(t *parse.Tree, p *parse.PipeNode) {
	p.Cmds = append(p.Cmds, call(t, knownName, p.Pos))
}

func call(t *parse.Tree, name string, pos parse.Pos) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{parse.NewIdentifier(name).SetPos(pos).SetTree(t)}}
}

// step counts what a loop's round or a template's call costs.
func (r *run) step(cost int) func() (none, error) {
	return func() (none, error) {
		if r.steps += cost; r.steps > maxSteps {
			return "", fmt.Errorf("it takes more than %d steps", maxSteps)
		}
		return "", nil
	}
}

// cut turns text with tokens into text with what they stand for.
func (r *run) cut(s string) value.Value {
	var parts []value.Value
	for {
		before, rest, found := strings.Cut(s, r.mark)
		parts = append(parts, before)
		if !found {
			return value.Join(parts)
		}
		number, after, _ := strings.Cut(rest, "\x00")
		var at int
		_, _ = fmt.Sscanf(number, "%d", &at)
		parts = append(parts, r.values[at])
		s = after
	}
}

// explain says an error in our words: without the package's prefix, and with
// the variables that there are where one is missing.
func (r *run) explain(err error, vars *value.Map) error {
	msg := strings.TrimPrefix(err.Error(), "template: ")
	for i, v := range r.values {
		msg = strings.ReplaceAll(msg, fmt.Sprintf("%s%d\x00", r.mark, i), fmt.Sprint(v))
	}
	if before, name, ok := strings.Cut(msg, `map has no entry for key `); ok {
		var names []string
		for _, e := range vars.Entries {
			names = append(names, e.Key)
		}
		if names == nil {
			return fmt.Errorf("%sthere is no %s: no variables are given", before, name)
		}
		msg = fmt.Sprintf("%sthere is no %s: the variables are %s", before, name, strings.Join(names, ", "))
	}
	return errors.New(msg)
}
