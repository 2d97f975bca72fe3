package debian

import (
	"context"
	"maps"
	"strings"
)

// doAlias is alias. In a script bash knows aliases and does not put them in, and so
// it is here. Other shells do, from the next line on: that is not simulated.
func (sh *shell) doAlias(_ context.Context, args []string) int {
	show := func(name string) int {
		text := name + "='" + strings.ReplaceAll(sh.aliases[name], "'", `'\''`) + "'\n"
		if sh.bash {
			text = "alias " + text
		}
		return sh.print(text)
	}
	if len(args) == 1 || len(args) == 2 && args[1] == "-p" && sh.bash {
		for _, name := range sortedKeys(sh.aliases) {
			show(name)
		}
		return 0
	}
	status := 0
	for _, arg := range args[1:] {
		name, value, given := strings.Cut(arg, "=")
		switch _, known := sh.aliases[name]; {
		case given && (!sh.bash || sh.typed):
			status = sh.say(args, 2, "swarmscript lab: not simulated: write a function")
		case given:
			sh.aliases = maps.Clone(sh.aliases) // parts of the shell have their own
			if sh.aliases == nil {
				sh.aliases = map[string]string{}
			}
			sh.aliases[name] = value
		case known:
			show(name)
		default:
			status = sh.noAlias(args, name)
		}
	}
	return status
}

func (sh *shell) doUnalias(_ context.Context, args []string) int {
	status := 0
	sh.aliases = maps.Clone(sh.aliases)
	for _, name := range args[1:] {
		switch _, known := sh.aliases[name]; {
		case name == "-a":
			clear(sh.aliases)
		case known:
			delete(sh.aliases, name)
		default:
			status = sh.noAlias(args, name)
		}
	}
	return status
}

func (sh *shell) noAlias(args []string, name string) int {
	if sh.bash {
		name += ":"
	}
	return sh.say(args, 1, "%s not found", name)
}

// limits are what ulimit shows of a process that has set none.
var limits = map[byte]string{
	'c': "0", 'd': "unlimited", 'f': "unlimited", 'l': "8192", 'm': "unlimited", 'n': "1024", 's': "8192", 't': "unlimited", 'u': "unlimited", 'v': "unlimited",
}

// doUlimit is ulimit: a limit that was set is known to this shell alone, as the
// processes that it would hold for are not there.
func (sh *shell) doUlimit(_ context.Context, args []string) int {
	what := byte('f')
	rest := args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		for _, letter := range []byte(rest[0][1:]) {
			switch {
			case letter == 'S' || letter == 'H':
			case letter == 'a':
				return sh.say(args, 2, "swarmscript lab: not simulated: -a")
			case limits[letter] == "":
				return sh.say(args, 2, "Illegal option -%c", letter)
			default:
				what = letter
			}
		}
		rest = rest[1:]
	}
	switch {
	case len(rest) > 1:
		return sh.say(args, 2, "too many arguments")
	case len(rest) == 0:
		if set := sh.limits[what]; set != "" {
			return sh.print(set + "\n")
		}
		return sh.print(limits[what] + "\n")
	case rest[0] != "unlimited" && strings.Trim(rest[0], "0123456789") != "":
		return sh.say(args, 2, "bad number")
	}
	sh.limits = maps.Clone(sh.limits)
	if sh.limits == nil {
		sh.limits = map[byte]string{}
	}
	sh.limits[what] = rest[0]
	return 0
}
