package debian

import (
	"context"
	"fmt"
)

func (sh *shell) doCd(_ context.Context, args []string) int {
	rest := args[1:]
	physical := false
	for len(rest) > 0 && (rest[0] == "-P" || rest[0] == "-L" || rest[0] == "--") {
		physical = rest[0] == "-P"
		rest = rest[1:]
	}
	to, say := sh.get("HOME"), false
	if len(rest) > 0 {
		if to = rest[0]; to == "-" {
			to, say = sh.get("OLDPWD"), true
		}
	}
	at := sh.fs.Abs(to)
	st, err := sh.fs.Stat(at)
	if err == nil && !st.IsDir() {
		err = ENOTDIR
	}
	if err == nil {
		err = sh.fs.Access(at, 1)
	}
	if err != nil {
		if sh.bash {
			return sh.say(args, 1, "%s: %s", to, reason(err))
		}
		return sh.say(args, 2, "can't cd to %s", to)
	}
	if physical {
		if at, err = sh.fs.RealPath(at); err != nil {
			return sh.say(args, 2, "can't cd to %s", to)
		}
	}
	sh.put("OLDPWD", sh.fs.Dir)
	sh.fs.Dir = at
	sh.put("PWD", at)
	if say {
		return sh.print(at + "\n")
	}
	return 0
}

func (sh *shell) doPwd(_ context.Context, args []string) int {
	at := sh.fs.Dir
	if len(args) > 1 && args[1] == "-P" {
		if real, err := sh.fs.RealPath(at); err == nil {
			at = real
		}
	}
	return sh.print(at + "\n")
}

func (sh *shell) doUmask(_ context.Context, args []string) int {
	if len(args) == 1 {
		return sh.print(fmt.Sprintf("%04o\n", sh.fs.Umask))
	}
	if args[1] == "-S" {
		return sh.print("u=" + letters(^sh.fs.Umask>>6&7) + ",g=" + letters(^sh.fs.Umask>>3&7) + ",o=" + letters(^sh.fs.Umask&7) + "\n")
	}
	mode, err := parseMode(args[1], ^sh.fs.Umask&0o777, 0, true)
	if err != nil {
		return sh.say(args, 2, "Illegal number: %s", args[1])
	}
	if args[1][0] >= '0' && args[1][0] <= '7' {
		sh.fs.Umask = mode & 0o777
	} else {
		sh.fs.Umask = ^mode & 0o777
	}
	return 0
}

func letters(bits uint32) string {
	s := ""
	for i, l := range "rwx" {
		if bits&(4>>i) != 0 {
			s += string(l)
		}
	}
	return s
}
