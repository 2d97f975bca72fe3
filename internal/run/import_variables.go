package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/compose"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/value"
)

// variables are those of the environment that compose files ask for. A script is meant
// for others to read and their values may be passwords, so the script asks for them too:
// each gets a marker in place of its value, which is written as env("NAME") wherever it
// comes out. That holds where the value stands as it is, and not where it is taken apart
// or must be a number.
type variables struct {
	o      compose.Options
	values map[string]string
	unset  map[string]bool // by the environment
	marked map[string]bool
	// defaults are those that nobody gives and the files give a value for, which is
	// in values too.
	defaults map[string]string
	filed    []string // whose values are of files of variables
}

// loadMarked loads compose files with markers in place of what the environment says.
func loadMarked(ctx context.Context, o compose.Options) (*compose.Stack, compose.Texts, *variables, error) {
	v := &variables{o: o, values: map[string]string{}, unset: map[string]bool{}, defaults: map[string]string{}}
	o.Env = func(name string) (string, bool) {
		text, ok := "", false
		if v.o.Env != nil {
			text, ok = v.o.Env(name)
		}
		if ok {
			v.values[name] = text
		} else {
			v.unset[name] = true
		}
		return text, ok
	}
	plain, texts, problems := compose.Load(ctx, o)
	if plain == nil {
		return nil, texts, nil, problems
	}
	v.takeDefaults(plain, texts)
	best := plain
	try := func(names []string) bool {
		before := v.marked
		v.marked = setOf(names)
		next := v.load(ctx, v.markers())
		if next == nil || !v.means(next, plain) {
			v.marked = before
			return false
		}
		best = next
		return true
	}
	names := slices.Sorted(maps.Keys(v.values))
	if !try(names) {
		for _, name := range names {
			try(append(slices.Sorted(maps.Keys(v.marked)), name))
		}
	}
	best.Warnings = plain.Warnings
	v.filed = plain.EnvFiled
	for _, name := range plain.Filling {
		if !v.unset[name] { // the environment's counts, or nothing asks for it
			continue
		}
		next := v.load(ctx, map[string]string{marker(len(names)): name})
		if next == nil || !v.means(next, plain) {
			v.filed = append(v.filed, name)
		}
	}
	slices.Sort(v.filed)
	v.filed = slices.Compact(v.filed)
	return best, texts, v, nil
}

func setOf(names []string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

// markers are the variables that are marked, by what stands for them: words that may be
// part of an image's name.
func (v *variables) markers() map[string]string {
	out := map[string]string{}
	for i, name := range slices.Sorted(maps.Keys(v.values)) {
		if v.marked[name] {
			out[marker(i)] = name
		}
	}
	return out
}

func marker(i int) string { return "swarmscriptenv" + strconv.Itoa(i) + "x" }

// load loads the files with markers for variables, nil where that is not right.
func (v *variables) load(ctx context.Context, markers map[string]string) *compose.Stack {
	byName := map[string]string{}
	for m, name := range markers {
		byName[name] = m
	}
	o := v.o
	o.Env = func(name string) (string, bool) {
		if m, ok := byName[name]; ok {
			return m, true
		}
		if _, ok := v.defaults[name]; ok {
			return "", false
		}
		text, ok := v.values[name]
		return text, ok
	}
	s, _, _ := compose.Load(ctx, o)
	return s
}

// means reports whether a stack says the same as another one when its markers are
// replaced by the variables' values.
func (v *variables) means(s, plain *compose.Stack) bool {
	var pairs []string
	for m, name := range v.markers() {
		pairs = append(pairs, m, v.values[name])
	}
	r := strings.NewReplacer(pairs...)
	return slices.EqualFunc(s.Parts, plain.Parts, func(a, b *compose.Part) bool {
		return a.Kind == b.Kind && a.Name == b.Name && a.Key == b.Key && a.External == b.External && a.From == b.From &&
			slices.Equal(a.After, b.After) && value.Equal(replaced(r, a.Args), replaced(r, b.Args))
	})
}

// replaced is a value with other texts.
func replaced(r *strings.Replacer, v value.Value) value.Value {
	each := func(vs []value.Value) []value.Value {
		out := make([]value.Value, len(vs))
		for i, e := range vs {
			out[i] = replaced(r, e)
		}
		return out
	}
	switch x := value.Reveal(v).(type) {
	case string:
		return r.Replace(x)
	case value.List:
		return value.List(each(x))
	case value.Struct:
		return value.Struct(each(x))
	case *value.Map:
		if x == nil {
			return x
		}
		var entries []value.Entry
		for _, e := range x.Entries {
			entries = append(entries, value.Entry{Key: r.Replace(e.Key), Value: replaced(r, e.Value)})
		}
		return value.NewMap(entries)
	default:
		return x
	}
}

var defaultOf = pattern.Of(`\$\{([A-Za-z_][A-Za-z0-9_]*):?-([^{}$]*)\}`)

// takeDefaults finds the variables that nobody gives, and that have one default
// in the files.
func (v *variables) takeDefaults(plain *compose.Stack, texts compose.Texts) {
	twice := setOf(plain.Filling)
	for _, text := range texts {
		for _, m := range defaultOf().FindAllStringSubmatch(string(text), -1) {
			name, text := m[1], m[2]
			if was, ok := v.defaults[name]; ok && was != text {
				twice[name] = true
			}
			v.defaults[name] = text
		}
	}
	for name, text := range v.defaults {
		if twice[name] || !v.unset[name] {
			delete(v.defaults, name)
			continue
		}
		v.values[name] = text
	}
}

// expressions are what stands in the script in place of the markers.
func (v *variables) expressions() map[string]string {
	out := map[string]string{}
	for m, name := range v.markers() {
		out[m] = "env(" + strconv.Quote(name) + ")"
		if text, ok := v.defaults[name]; ok {
			out[m] = "env(" + strconv.Quote(name) + ", default = " + strconv.Quote(text) + ")"
		}
	}
	return out
}

// notes warn of values that are in the script all the same.
func (v *variables) notes() (out []string) {
	var fixed, settled []string
	for _, name := range slices.Sorted(maps.Keys(v.values)) {
		if _, ok := v.defaults[name]; ok && !v.marked[name] {
			settled = append(settled, name)
		} else if !v.marked[name] && v.values[name] != "" {
			fixed = append(fixed, name)
		}
	}
	const hint = "give what is not for everybody's eyes by env(..., sensitive = True), or as a secret"
	if fixed != nil {
		out = append(out, fmt.Sprintf("warning: the script holds the values that %s had in the environment: %s", strings.Join(fixed, ", "), hint))
	}
	if settled != nil {
		out = append(out, fmt.Sprintf("warning: the script holds the defaults of %s, and does not ask the environment for them", strings.Join(settled, ", ")))
	}
	if v.filed != nil {
		out = append(out, fmt.Sprintf("warning: the script holds the values that files of variables have of %s: %s", strings.Join(v.filed, ", "), hint))
	}
	return out
}
