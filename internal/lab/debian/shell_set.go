package debian

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// setNames are the options of set by their long names.
var setNames = map[string]byte{"errexit": 'e', "nounset": 'u', "xtrace": 'x', "noglob": 'f', "noclobber": 'C', "allexport": 'a', "noexec": 'n', "verbose": 'v', "monitor": 'm', "notify": 'b'}

func (sh *shell) doSet(_ context.Context, args []string) int {
	rest := args[1:]
	if len(rest) == 0 {
		for _, name := range slices.Sorted(maps.Keys(sh.vars)) {
			if status := sh.print(name + "=" + quoteWord(sh.get(name)) + "\n"); status != 0 {
				return status
			}
		}
		return 0
	}
	rest, err := sh.setOptions(rest, true)
	if err != nil {
		return sh.say(args, 2, "%v", err)
	}
	if rest != nil {
		sh.params = rest
	}
	return 0
}

// setOptions takes options; what is left is nil where there were no parameters.
func (sh *shell) setOptions(args []string, inSet bool) ([]string, error) {
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" || arg == "-" {
			return append([]string{}, args[1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' && arg[0] != '+' {
			return args, nil
		}
		on := arg[0] == '-'
		args = args[1:]
		for _, f := range []byte(arg[1:]) {
			if f == 'o' {
				if len(args) == 0 {
					return nil, nil
				}
				if args[0] == "pipefail" {
					return nil, words("Illegal option -o pipefail")
				}
				f = setNames[args[0]]
				args = args[1:]
			}
			if !strings.ContainsRune("euxfCanvmbh", rune(f)) || f == 0 {
				if !inSet {
					return nil, words(fmt.Sprintf("Illegal option -%c", f))
				}
				return nil, words(fmt.Sprintf("Illegal option %s", arg))
			}
			sh.opts[f] = on
		}
	}
	return nil, nil
}

func quoteWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }

func (sh *shell) doUnset(_ context.Context, args []string) int {
	functions := false
	for _, name := range args[1:] {
		switch {
		case name == "-f":
			functions = true
		case name == "-v":
			functions = false
		case functions:
			delete(sh.funcs, name)
		default:
			if err := sh.unset(name); err != nil {
				sh.fatal("%v", err)
				return 2
			}
		}
	}
	return 0
}

// doExport is export and readonly.
func (sh *shell) doExport(_ context.Context, args []string) int {
	if len(args) == 1 || len(args) == 2 && args[1] == "-p" {
		for _, name := range slices.Sorted(maps.Keys(sh.vars)) {
			if v := sh.vars[name]; args[0] == "export" && v.Exported || args[0] == "readonly" && v.ReadOnly {
				sh.print(args[0] + " " + name + "=" + quoteWord(v.String()) + "\n")
			}
		}
		return 0
	}
	for _, arg := range args[1:] {
		name, value, given := strings.Cut(arg, "=")
		if !syntax.ValidName(name) {
			return sh.say(args, 2, "%s: bad variable name", name)
		}
		if given {
			if err := sh.set(name, value); err != nil {
				sh.fatal("%v", err)
				return 2
			}
		}
		v := sh.vars[name]
		if args[0] == "export" {
			v.Exported = true
		} else {
			v.ReadOnly = true
		}
		sh.vars[name] = v
	}
	return 0
}

func (sh *shell) doLocal(_ context.Context, args []string) int {
	if len(sh.locals) == 0 {
		sh.fatal("local: not in a function")
		return 2
	}
	hidden := sh.locals[len(sh.locals)-1]
	for _, arg := range args[1:] {
		name, value, given := strings.Cut(arg, "=")
		if !syntax.ValidName(name) {
			return sh.say(args, 2, "%s: bad variable name", name)
		}
		if _, known := hidden[name]; !known {
			hidden[name] = sh.vars[name]
		}
		if given {
			if err := sh.set(name, value); err != nil {
				sh.fatal("%v", err)
				return 2
			}
		} else if sh.bash {
			delete(sh.vars, name)
		}
	}
	return 0
}
