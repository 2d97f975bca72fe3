package debian

import (
	"context"
)

// processPrograms are those about processes, accounts and the machine itself.
func processPrograms() map[string]program {
	all := in("/usr/bin", map[string]command{
		"sh": shProgram(false), "dash": shProgram(false), "bash": shProgram(true), "rbash": shProgram(true),
		"env": envProgram, "printenv": envProgram, "true": exitProgram(0), "false": exitProgram(1), "sleep": sleepProgram, "kill": killProgram,
		"id": idProgram, "whoami": whoamiProgram, "groups": groupsProgram, "getent": getentProgram, "hostname": hostnameProgram,
		"uname": unameProgram, "nproc": nprocProgram, "sudo": sudoProgram, "date": dateProgram, "timeout": timeoutProgram, "nohup": nohupProgram, "nice": niceProgram,
		"flock": flockProgram, "xargs": xargsProgram, "ps": psProgram, "pgrep": pgrepProgram, "pkill": pgrepProgram,
		"uptime": uptimeProgram, "free": freeProgram, "df": dfProgram, "which": whichProgram, "arch": unameProgram, "logname": whoamiProgram,
		"tty": ttyProgram, "test": testProgram, "[": testProgram, "printf": builtinProgram((*shell).doPrintf), "echo": echoProgram,
		"pwd": builtinProgram((*shell).doPwd), "expr": exprProgram, "setsid": niceProgram,
	})
	return all
}

func exitProgram(code int) command {
	return func(context.Context, *call) int { return code }
}

// builtinProgram makes a program of a command of the shell.
func builtinProgram(b builtin) command {
	return func(ctx context.Context, c *call) int {
		sh := newShell(c, false)
		return b(sh, ctx, c.args)
	}
}

// echoProgram is /usr/bin/echo, which takes escapes only with -e.
func echoProgram(ctx context.Context, c *call) int { return newShell(c, true).doEcho(ctx, c.args) }

func testProgram(_ context.Context, c *call) int {
	args := c.args[1:]
	if c.name() == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			return c.fail(2, "missing ']'")
		}
		args = args[:len(args)-1]
	}
	ok, err := runTest(c.fs, c.fds, args)
	if err != nil {
		return c.fail(2, "%v", err)
	}
	return b2i(!ok)
}
