package debian

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// specialBuiltins are those whose errors end the shell, and whose assignments stay.
var specialBuiltins = map[string]bool{":": true, ".": true, "break": true, "continue": true, "eval": true, "exec": true, "exit": true,
	"export": true, "readonly": true, "return": true, "set": true, "shift": true, "times": true, "trap": true, "unset": true}

// builtin is a command of the shell itself. It returns the status.
type builtin func(sh *shell, ctx context.Context, args []string) int

// builtin returns the command of a name, nil where the shell has none.
func (sh *shell) builtin(name string) builtin {
	switch name {
	case ":", "true":
		return func(*shell, context.Context, []string) int { return 0 }
	case "false":
		return func(*shell, context.Context, []string) int { return 1 }
	case "source":
		if !sh.bash {
			return nil
		}
		return (*shell).doSource
	}
	return builtins()[name]
}

func builtins() map[string]builtin {
	return map[string]builtin{
		".": (*shell).doSource, "break": (*shell).doBreak, "continue": (*shell).doBreak, "cd": (*shell).doCd, "command": (*shell).doCommand,
		"echo": (*shell).doEcho, "eval": (*shell).doEval, "exit": (*shell).doExit, "export": (*shell).doExport, "getopts": (*shell).doGetopts,
		"hash": (*shell).doNothing, "jobs": (*shell).doNothing, "kill": (*shell).doKill, "local": (*shell).doLocal, "printf": (*shell).doPrintf,
		"pwd": (*shell).doPwd, "read": (*shell).doRead, "readonly": (*shell).doExport, "return": (*shell).doExit, "set": (*shell).doSet,
		"shift": (*shell).doShift, "test": (*shell).doTest, "[": (*shell).doTest, "times": (*shell).doTimes, "trap": (*shell).doTrap,
		"type": (*shell).doType, "ulimit": (*shell).doUlimit, "umask": (*shell).doUmask, "unset": (*shell).doUnset, "wait": (*shell).doWait,
		"alias": (*shell).doAlias, "unalias": (*shell).doUnalias,
	}
}

func (sh *shell) runBuiltin(ctx context.Context, b builtin, args []string) {
	status := b(sh, ctx, args)
	sh.status = status
}

// print writes to the shell's standard output.
func (sh *shell) print(s string) int {
	if s == "" {
		return 0
	}
	_, err := sh.fds.at(1).Write([]byte(s))
	switch {
	case err == nil:
		return 0
	case Is(err, EPIPE): // by the signal
		sh.exiting = true
		return 128 + 13
	}
	sh.errorf("%s: I/O error", "echo")
	return 1
}

// say is errorf for a command of the shell.
func (sh *shell) say(args []string, status int, format string, more ...any) int {
	sh.errorf("%s: %s", args[0], fmt.Sprintf(format, more...))
	if specialBuiltins[args[0]] && !sh.bash {
		sh.exiting = true
	}
	return status
}

func (sh *shell) doNothing(context.Context, []string) int { return 0 }

func (sh *shell) doTimes(context.Context, []string) int {
	return sh.print("0m0.000000s 0m0.000000s\n0m0.000000s 0m0.000000s\n")
}

func (sh *shell) doEcho(_ context.Context, args []string) int {
	args = args[1:]
	newline, escapes := true, !sh.bash
	for len(args) > 0 && (args[0] == "-n" || sh.bash && (args[0] == "-e" || args[0] == "-E")) {
		switch args[0] {
		case "-n":
			newline = false
		case "-e":
			escapes = true
		}
		args = args[1:]
		if !sh.bash {
			break
		}
	}
	s := strings.Join(args, " ")
	if escapes {
		var stop bool
		if s, stop = unescape(s, true); stop {
			newline = false
		}
	}
	if newline {
		s += "\n"
	}
	return sh.print(s)
}

func (sh *shell) doEval(ctx context.Context, args []string) int {
	sh.status = 0
	sh.eval(ctx, strings.Join(args[1:], " "), sh.name)
	return sh.status
}

func (sh *shell) doSource(ctx context.Context, args []string) int {
	if len(args) < 2 {
		return sh.say(args, 2, "filename argument required")
	}
	p := args[1]
	if !strings.Contains(p, "/") {
		found := ""
		for _, dir := range strings.Split(sh.get("PATH"), ":") {
			if st, err := sh.fs.Stat(path.Join("/", dir, p)); err == nil && !st.IsDir() {
				found = path.Join("/", dir, p)
				break
			}
		}
		if found == "" && !sh.bash {
			return sh.say(args, 2, "%s: not found", p)
		}
		p = cmp.Or(found, p)
	}
	data, err := sh.fs.ReadFile(p)
	if err != nil {
		return sh.say(args, 2, "cannot open %s: %s", p, strings.Replace(reason(err), "No such file or directory", "No such file", 1))
	}
	params := sh.params
	if len(args) > 2 && sh.bash {
		sh.params = args[2:]
	}
	sh.status = 0
	sh.eval(ctx, string(data), p)
	sh.leaving = false
	sh.params = params
	return sh.status
}

func (sh *shell) doExit(_ context.Context, args []string) int {
	status := sh.last
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 0 {
			return sh.say(args, 2, "Illegal number: %s", args[1])
		}
		status = n & 0xff
	}
	if args[0] == "exit" {
		sh.exiting = true
	} else {
		sh.leaving = true
	}
	return status
}

func (sh *shell) doBreak(_ context.Context, args []string) int {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 1 {
			return sh.say(args, 2, "Illegal number: %s", args[1])
		}
	}
	n = min(n, sh.loops)
	if args[0] == "break" {
		sh.breaking = n
	} else {
		sh.skipping = n
	}
	return 0
}

func (sh *shell) doShift(_ context.Context, args []string) int {
	n := 1
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 0 {
			return sh.say(args, 2, "Illegal number: %s", args[1])
		}
	}
	if n > len(sh.params) {
		return sh.say(args, 2, "can't shift that many")
	}
	sh.params = sh.params[n:]
	return 0
}
