package debian

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
)

// shellEnv is what word expansion sees of a shell.
type shellEnv struct{ sh *shell }

func text(s string) expand.Variable {
	return expand.Variable{Set: true, Kind: expand.String, Str: s}
}

// Get returns a variable, a parameter, or with "HOME name" an account's home.
func (e shellEnv) Get(name string) expand.Variable {
	sh := e.sh
	switch name {
	case "@", "*":
		return expand.Variable{Set: true, Kind: expand.Indexed, List: append([]string{}, sh.params...)}
	case "#":
		return text(strconv.Itoa(len(sh.params)))
	case "?":
		return text(strconv.Itoa(sh.last))
	case "$":
		return text(strconv.Itoa(sh.pid))
	case "!":
		if len(sh.jobs) == 0 {
			return expand.Variable{}
		}
		return text(strconv.Itoa(sh.jobs[len(sh.jobs)-1].pid))
	case "-":
		return text(sh.flags())
	case "0":
		return text(sh.name)
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > len(sh.params) {
			return expand.Variable{}
		}
		return text(sh.params[n-1])
	}
	if user, ok := strings.CutPrefix(name, "HOME "); ok {
		if who, ok := sh.sys.account(user); ok {
			return text(who.Home)
		}
		return text("~" + user)
	}
	return sh.vars[name]
}

// Set is how ${x:=value} and arithmetic change variables.
func (e shellEnv) Set(name string, v expand.Variable) error {
	if !v.IsSet() {
		return e.sh.unset(name)
	}
	return e.sh.set(name, v.String())
}

// Each calls a function for each variable.
func (e shellEnv) Each(f func(string, expand.Variable) bool) {
	for name, v := range e.sh.vars {
		if !f(name, v) {
			return
		}
	}
}

// get returns what a variable holds.
func (sh *shell) get(name string) string { return sh.vars[name].String() }

// put sets a variable without asking whether it may be.
func (sh *shell) put(name, value string) {
	v := sh.vars[name]
	v.Set, v.Kind, v.Str = true, expand.String, value
	if sh.opts['a'] {
		v.Exported = true
	}
	sh.vars[name] = v
}

func (sh *shell) set(name, value string) error {
	if sh.vars[name].ReadOnly {
		return fmt.Errorf("%s: is read only", name)
	}
	sh.put(name, value)
	return nil
}

func (sh *shell) unset(name string) error {
	if sh.vars[name].ReadOnly {
		return fmt.Errorf("unset: %s: is read only", name)
	}
	delete(sh.vars, name)
	return nil
}

// environ is what commands get of the variables.
func (sh *shell) environ() []string {
	var env []string
	for name, v := range sh.vars {
		if v.Exported && v.Set {
			env = append(env, name+"="+v.String())
		}
	}
	slices.Sort(env)
	return env
}

// flags is $-.
func (sh *shell) flags() string {
	var b []byte
	for f, on := range sh.opts {
		if on {
			b = append(b, f)
		}
	}
	slices.Sort(b)
	return string(b)
}

// dirEntry is an entry of a folder as io/fs has it.
type dirEntry struct{ st Stat }

func (d dirEntry) Name() string               { return d.st.Name }
func (d dirEntry) IsDir() bool                { return d.st.IsDir() }
func (d dirEntry) Type() fs.FileMode          { return d.st.FileMode().Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return d.st.info(), nil }

// matchPattern reports whether all of a text fits a pattern of the shell.
func matchPattern(pat, s string) bool {
	if !pattern.HasMeta(pat, 0) && !strings.Contains(pat, `\`) {
		return pat == s
	}
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return pat == s
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return pat == s
	}
	return re.MatchString(s)
}
