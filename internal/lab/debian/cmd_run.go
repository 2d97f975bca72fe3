package debian

import (
	"context"
	"strconv"
	"time"
)

// timeoutProgram ends a command after a time.
func timeoutProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("s:k:v", "signal=", "kill-after=", "preserve-status", "foreground")
	if !ok {
		return bad
	}
	signal, preserve := 15, false
	for _, o := range opts {
		switch o.name {
		case "s", "signal":
			if signal, ok = signalNumber(o.value); !ok {
				return c.fail(125, "%s: invalid signal", o.value)
			}
		case "preserve-status":
			preserve = true
		}
	}
	if len(rest) < 2 {
		return c.fail(125, "missing operand")
	}
	d, ok := duration(rest[0])
	if !ok {
		return c.fail(125, "invalid time interval '%s'", rest[0])
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := false
	if d > 0 {
		timer := time.AfterFunc(d, func() { cancel(signalled(signal)) })
		defer timer.Stop()
	}
	code := c.spawn(limited, rest[1:], nil)
	over = limited.Err() != nil && ctx.Err() == nil
	if over && !preserve {
		return 124
	}
	return code
}

func nohupProgram(ctx context.Context, c *call) int {
	if len(c.args) < 2 {
		return c.fail(125, "missing operand")
	}
	c.sys.mu.Lock()
	c.proc.ignored = map[int]bool{1: true}
	c.sys.mu.Unlock()
	return c.replace(ctx, c.args[1:])
}

// niceProgram runs a command as it is: there is nothing to be nice to.
func niceProgram(ctx context.Context, c *call) int {
	_, rest, bad, ok := c.optionsFirst("n:fw", "adjustment=")
	if !ok {
		return bad
	}
	if len(rest) == 0 {
		c.printf("0\n")
		return 0
	}
	return c.replace(ctx, rest)
}

func whichProgram(_ context.Context, c *call) int {
	code := 0
	for _, name := range c.args[1:] {
		if name == "-a" {
			continue
		}
		file, err := lookPath(c.fs, c.getenv("PATH"), name)
		if err != nil || c.fs.Access(file, 1) != nil {
			code = 1
			continue
		}
		c.printf("%s\n", file)
	}
	return code
}

func ttyProgram(_ context.Context, c *call) int {
	c.printf("not a tty\n")
	return 1
}

// flockProgram locks a file: one that is open as a descriptor, or for the time of a command.
func flockProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("sxeunw:oc:", "shared", "exclusive", "unlock", "nonblock", "nb", "timeout=", "wait=", "command=")
	if !ok {
		return bad
	}
	write, try, unlock := true, false, false
	var wait time.Duration
	for _, o := range opts {
		switch o.name {
		case "s", "shared":
			write = false
		case "u", "unlock":
			unlock = true
		case "n", "nonblock", "nb":
			try = true
		case "w", "timeout", "wait":
			if wait, ok = duration(o.value); !ok {
				return c.fail(64, "bad timeout: '%s'", o.value)
			}
		case "c", "command", "o":
			return c.notSimulated("option -" + o.name)
		}
	}
	if len(rest) == 0 {
		return c.fail(64, "requires file descriptor, file or directory")
	}
	if wait > 0 {
		limited, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		ctx = limited
	}
	if n, err := strconv.Atoi(rest[0]); err == nil && len(rest) == 1 {
		s := c.fds.at(n)
		if s == nil || s.h == nil {
			return c.fail(65, "%d: Bad file descriptor", n)
		}
		if unlock {
			s.h.Unlock()
			return 0
		}
		return b2i(s.h.Lock(ctx, c.proc.pid, false, write, try) != nil)
	}
	h, err := c.fs.Open(rest[0], flagBoth, 0o666)
	if err != nil {
		return c.fail(66, "cannot open lock file %s: %s", rest[0], reason(err))
	}
	defer h.Close()
	if h.Lock(ctx, c.proc.pid, false, write, try) != nil {
		return 1
	}
	args := rest[1:]
	if len(args) > 0 && args[0] == "-c" {
		args = append([]string{"/bin/sh"}, args...)
	}
	if len(args) == 0 {
		return c.fail(64, "no command: give one, or a file descriptor")
	}
	return c.spawn(ctx, args, nil)
}
