package debian

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func psProgram(_ context.Context, c *call) int {
	all, full, head := false, false, true
	var format []string
	pids := map[int]bool{}
	args := c.args[1:]
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		value := func() string {
			if len(args) == 0 {
				return ""
			}
			v := args[0]
			args = args[1:]
			return v
		}
		switch arg {
		case "aux", "-ef", "-eF", "-A", "-e", "ax", "-eaf":
			all, full = true, arg != "-A" && arg != "-e" && arg != "ax"
		case "-f":
			full = true
		case "-o", "-eo":
			all = all || arg == "-eo"
			format = append(format, strings.Split(value(), ",")...)
		case "-p":
			for _, s := range strings.FieldsFunc(value(), func(r rune) bool { return r == ',' || r == ' ' }) {
				n, _ := strconv.Atoi(s)
				pids[n] = true
			}
		case "--no-headers":
			head = false
		default:
			return c.notSimulated("option " + arg)
		}
	}
	return printProcesses(c, psSelection{all, full, head, format, pids})
}

type psSelection struct {
	all, full, head bool
	format          []string
	pids            map[int]bool
}

func printProcesses(c *call, sel psSelection) int {
	format := sel.format
	if len(format) == 0 {
		format = []string{"pid", "tty", "time", "comm"}
		if sel.full {
			format = []string{"user", "pid", "ppid", "stime", "tty", "time", "args"}
		}
	}
	var heads []string
	for i, f := range format {
		name, title, given := strings.Cut(f, "=")
		format[i] = name
		if !given {
			title = map[string]string{"comm": "CMD", "args": "CMD", "cmd": "CMD", "pid": "    PID", "ppid": "   PPID", "user": "USER    ", "tty": "TTY  ", "time": "    TIME"}[name]
		}
		if given && title == "" {
			sel.head = false
		}
		if title == "" {
			title = strings.ToUpper(name)
		}
		heads = append(heads, title)
	}
	if sel.head {
		c.printf("%s\n", strings.Join(heads, " "))
	}
	code := b2i(len(sel.pids) > 0)
	for _, p := range c.sys.processes() {
		mine := p.who.UID == c.fs.Who.UID && p.pid != 1
		if len(sel.pids) > 0 && !sel.pids[p.pid] || len(sel.pids) == 0 && !sel.all && !mine {
			continue
		}
		code = 0
		var out []string
		for _, f := range format {
			s, ok := processField(p, f)
			if !ok {
				return c.notSimulated("the column " + f)
			}
			out = append(out, s)
		}
		c.printf("%s\n", strings.Join(out, " "))
	}
	return code
}

func processField(p proc, name string) (string, bool) {
	switch name {
	case "pid":
		return fmt.Sprintf("%7d", p.pid), true
	case "ppid":
		return fmt.Sprintf("%7d", p.ppid), true
	case "user", "euser", "uname":
		return fmt.Sprintf("%-8s", p.who.Name), true
	case "uid":
		return fmt.Sprintf("%5d", p.who.UID), true
	case "comm", "ucmd":
		return p.comm, true
	case "args", "cmd", "command":
		return strings.Join(p.args, " "), true
	case "tty":
		return "?    ", true
	case "time":
		return "00:00:00", true
	case "stime":
		return p.start.UTC().Format("15:04"), true
	case "stat", "s", "state":
		return "S", true
	case "etimes":
		return strconv.Itoa(int(time.Since(p.start).Seconds())), true
	}
	return "", false
}

// pgrepProgram is pgrep and pkill.
func pgrepProgram(_ context.Context, c *call) int {
	args := []string{c.args[0]}
	signal := 15
	for _, arg := range c.args[1:] {
		if n, ok := signalNumber(strings.TrimPrefix(arg, "-")); ok && strings.HasPrefix(arg, "-") && c.name() == "pkill" && len(arg) > 2 {
			signal = n
			continue
		}
		args = append(args, arg)
	}
	c.args = args
	opts, rest, bad, ok := c.options("fxu:U:lanc", "full", "exact", "euid=")
	if !ok {
		return bad
	}
	full, exact, show := false, false, false
	users := map[uint32]bool{}
	for _, o := range opts {
		switch o.name {
		case "f", "full":
			full = true
		case "x", "exact":
			exact = true
		case "a", "l":
			show = true
		case "u", "U", "euid":
			for _, name := range strings.Split(o.value, ",") {
				who, ok := c.sys.account(name)
				if !ok {
					return c.fail(2, "invalid user name: %s", name)
				}
				users[who.UID] = true
			}
		default:
			return c.notSimulated("option -" + o.name)
		}
	}
	match := func(string) bool { return true }
	if len(rest) > 0 {
		re, err := compileRegexp(rest[0], true, false)
		if err != nil {
			return c.fail(2, "%v", err)
		}
		match = func(s string) bool {
			at := re.FindStringIndex(s)
			return at != nil && (!exact || at[0] == 0 && at[1] == len(s))
		}
	} else if len(users) == 0 {
		return c.fail(2, "no matching criteria specified")
	}
	return c.eachMatch(func(p proc) bool {
		subject := p.comm
		if full {
			subject = strings.Join(p.args, " ")
		}
		return p.pid != c.proc.pid && (len(users) == 0 || users[p.who.UID]) && match(subject)
	}, show, signal)
}

// eachMatch prints or ends the processes that fit.
func (c *call) eachMatch(fits func(proc) bool, show bool, signal int) int {
	code := 1
	for _, p := range c.sys.processes() {
		if !fits(p) {
			continue
		}
		code = 0
		switch {
		case c.name() == "pkill":
			if err := c.signal(p.pid, signal); err != nil {
				c.warnf("killing pid %d failed: %s", p.pid, reason(err))
			}
		case show:
			c.printf("%d %s\n", p.pid, strings.Join(p.args, " "))
		default:
			c.printf("%d\n", p.pid)
		}
	}
	return code
}
