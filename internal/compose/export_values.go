package compose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// decode fills a kind's spec from a declaration, with what is not known or
// sensitive as variables, and without some arguments.
func (e *exporter) decode(d *resource.Declaration, into func() any, without []string) any {
	s := d.Kind.Schema
	args := slices.Clone(d.Args)
	for i, f := range s.Fields() {
		if args[i] == nil || slices.Contains(without, f.Name) {
			args[i] = nil
			continue
		}
		args[i] = e.plain(d, f.Name, args[i])
		one := make(value.Struct, len(args))
		one[i] = args[i]
		if err := s.Decode(one, into()); err != nil {
			e.warn(d, "", "%s is not known before an apply", f.Name)
			args[i] = nil
		}
	}
	out := into()
	if err := s.Decode(args, out); err != nil { // each alone was right
		e.warn(d, "", "%v", err)
	}
	return out
}

// plain is a value with its references resolved as far as the script tells, and
// with variables in place of what is sensitive or not known. path says where it
// stands.
func (e *exporter) plain(d *resource.Declaration, path string, v value.Value) value.Value {
	v = value.Resolve(v, e.resolve)
	switch x := v.(type) {
	case value.Secret:
		if e.o.Secrets {
			return value.RevealAll(x)
		}
		if s, ok := value.Reveal(x).(string); ok && variableIn().FindString(s) == s && s != "" {
			return s // of a reference to something sensitive
		}
		return e.variable(path, x, fmt.Sprintf("sensitive: %s's %s", d.Address.Short(), path), d)
	case value.List:
		out := make(value.List, len(x))
		for i, elem := range x {
			out[i] = e.plain(d, path, elem)
		}
		return out
	case value.Struct:
		out := make(value.Struct, len(x))
		for i, elem := range x {
			out[i] = e.plain(d, path, elem)
		}
		return out
	case *value.Map:
		if x == nil {
			return v
		}
		out := make([]value.Entry, len(x.Entries))
		for i, entry := range x.Entries {
			out[i] = value.Entry{Key: entry.Key, Value: e.plain(d, entry.Key, entry.Value)}
		}
		return value.NewMap(out)
	}
	return v
}

// resolve gives a reference's value: what the script says itself, or a variable.
func (e *exporter) resolve(r value.Ref) (value.Value, bool) {
	d := e.byAddress[r.Address]
	if d != nil && (r.Output == "name" || r.Output == "") {
		return declaredName(d), true
	}
	if d != nil && d.Kind.Name == "build" && r.Output == "ref" {
		return buildImage(d), true
	}
	if d != nil {
		for _, out := range d.Kind.Out {
			if f, ok := d.Kind.Schema.Field(out.Arg); ok && out.Name == r.Output && d.Args[f.Index] != nil && value.Known(d.Args[f.Index]) {
				return d.Args[f.Index], true
			}
		}
	}
	return e.variable(r.String(), r, "known after an apply: "+r.String(), d), true
}

// variableOf says what a variable stands for.
type variableOf struct{ id, what string }

var notInVariables = pattern.Of(`[^A-Za-z0-9_]+`)

// ofShells are variables that are set without anybody having set them for the file,
// and those that docker itself heeds.
var ofShells = pattern.Of(`^(_|COLUMNS|DISPLAY|EDITOR|EUID|GID|GROUPS|HOME|HOST|HOSTNAME|HOSTTYPE|IFS|LANG|LANGUAGE|LINES|LOGNAME|MACHTYPE|MAIL|OLDPWD|OPTIND|OSTYPE|` +
	`PAGER|PATH|PPID|PWD|RANDOM|SECONDS|SHELL|SHLVL|TEMP|TERM|TMP|TMPDIR|TZ|UID|USER|USERNAME|VISUAL)$|^(BASH|BUILDKIT|COMPOSE|DOCKER|LC|SSH|SUDO|XDG)_`)

// variable stands for a value in the file. What is the same has the same one.
func (e *exporter) variable(name string, v value.Value, what string, d *resource.Declaration) string {
	id := fmt.Sprintf("%T %v", v, value.Reveal(v))
	base, owner := variableName(name), e.out.Stack
	if d != nil {
		owner = declaredName(d)
	}
	owned := variableName(strings.ToUpper(notInVariables().ReplaceAllString(owner, "_")) + "_" + base)
	candidates := []string{base, owned}
	if ofShells().MatchString(base) {
		candidates = candidates[1:]
	}
	for n := 2; ; n++ {
		for _, name := range candidates {
			was, taken := e.variables[name]
			if !taken {
				e.variables[name] = variableOf{id, what}
			}
			if !taken || was.id == id {
				return variableMark + name + variableMark
			}
		}
		candidates = []string{owned + "_" + strconv.Itoa(n)}
	}
}

// variableName is a text as the name of a variable.
func variableName(text string) string {
	name := notInVariables().ReplaceAllString(text, "_")
	if strings.ToLower(name) == name {
		name = strings.ToUpper(name)
	}
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}
