package debian

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func (sh *shell) doTrap(_ context.Context, args []string) int {
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		for _, name := range slices.Sorted(maps.Keys(sh.traps)) {
			sh.print("trap -- " + quoteWord(sh.traps[name]) + " " + name + "\n")
		}
		return 0
	}
	do, names := rest[0], rest[1:]
	if n, err := strconv.Atoi(do); len(names) == 0 || err == nil && n >= 0 {
		do, names = "-", rest
	}
	for _, name := range names {
		n, ok := signalNumber(name)
		if strings.EqualFold(name, "EXIT") || name == "0" {
			name = "EXIT"
		} else if !ok {
			return sh.say(args, 1, "%s: bad trap", name)
		} else {
			name = signalName(n)
		}
		if do == "-" {
			delete(sh.traps, name)
		} else {
			sh.traps[name] = do
		}
	}
	if !sh.sub {
		sh.tellTraps()
	}
	return 0
}

// signalText is what a shell says of a job that a signal ended.
func signalText(n int) string {
	switch n {
	case 9:
		return "Killed"
	case 15:
		return "Terminated"
	case 1:
		return "Hangup"
	}
	return "Signal " + strconv.Itoa(n)
}

// signalName is TERM of 15.
func signalName(n int) string {
	for name, number := range signalNames {
		if number == n {
			return name
		}
	}
	return strconv.Itoa(n)
}

// tellTraps lets the process know which signals are caught.
func (sh *shell) tellTraps() {
	sh.sys.mu.Lock()
	defer sh.sys.mu.Unlock()
	old := sh.proc.caught
	sh.proc.caught, sh.proc.ignored = map[int]bool{}, map[int]bool{}
	for name, do := range sh.traps {
		n := signalNames[name]
		switch {
		case name == "EXIT":
		case do == "":
			sh.proc.ignored[n] = true
		default:
			sh.proc.caught[n] = old[n]
		}
	}
}

func (sh *shell) doKill(ctx context.Context, args []string) int {
	return sh.asProgram(ctx, args, killProgram)
}

// asProgram runs a program's function within the shell.
func (sh *shell) asProgram(ctx context.Context, args []string, run command) int {
	c := sh.sys.newCall(sh.fs, args, sh.environ(), sh.fds)
	c.proc = sh.proc
	c.prefix = fmt.Sprintf("%s: %d: ", sh.name, max(1, sh.line))
	if sh.bash {
		c.prefix = fmt.Sprintf("%s: line %d: ", sh.name, max(1, sh.line))
	}
	code := run(ctx, c)
	c.flush()
	return code
}

func (sh *shell) doWait(ctx context.Context, args []string) int {
	status := 0
	for _, j := range sh.jobs {
		if len(args) > 1 && !slices.Contains(args[1:], strconv.Itoa(j.pid)) {
			continue
		}
		select {
		case <-j.done:
			if len(args) > 1 {
				status = j.p.code
			}
			if j.p.signal > 0 && !j.told {
				j.told = true
				fmt.Fprintln(sh.fds.at(2), signalText(j.p.signal))
			}
		case <-ctx.Done():
			return 129
		}
	}
	for _, arg := range args[1:] {
		n, err := strconv.Atoi(arg)
		if err != nil || !slices.ContainsFunc(sh.jobs, func(j *job) bool { return j.pid == n }) {
			status = 127
		}
	}
	return status
}
