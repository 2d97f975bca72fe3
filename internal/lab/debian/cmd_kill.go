package debian

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// duration reads what sleep and timeout take: a number with s, m, h or d.
func duration(s string) (time.Duration, bool) {
	unit := time.Second
	if s != "" {
		if i := strings.IndexByte("smhd", s[len(s)-1]); i >= 0 {
			unit = []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}[i]
			s = s[:len(s)-1]
		}
	}
	if s == "infinity" || s == "inf" {
		return 1<<63 - 1, true
	}
	f, err := strconv.ParseFloat(s, 64)
	return time.Duration(min(f*float64(unit), 1<<62)), err == nil && f >= 0
}

func sleepProgram(ctx context.Context, c *call) int {
	var total time.Duration
	if len(c.args) == 1 {
		return c.usage("missing operand")
	}
	for _, arg := range c.args[1:] {
		d, ok := duration(arg)
		if !ok {
			return c.fail(1, "invalid time interval '%s'", arg)
		}
		total += d
	}
	select {
	case <-time.After(total):
	case <-ctx.Done():
	}
	return 0
}

func killProgram(_ context.Context, c *call) int {
	args := c.args[1:]
	signal := 15
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--" {
		name := args[0][1:]
		args = args[1:]
		switch {
		case name == "l" || name == "-list":
			for n := 1; n < 16; n++ {
				if s := signalName(n); s != strconv.Itoa(n) {
					c.printf("%s ", s)
				}
			}
			c.printf("\n")
			return 0
		case (name == "s" || name == "n") && len(args) > 0:
			name, args = args[0], args[1:]
		}
		var ok bool
		if signal, ok = signalNumber(name); !ok {
			return c.fail(2, "Illegal option -%s", name)
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return c.fail(2, "usage: kill [-s sigspec | -signum | -sigspec] [pid | job]...")
	}
	code := 0
	for _, arg := range args {
		pid, err := strconv.Atoi(arg)
		if err != nil {
			c.warnf("Illegal number: %s", arg)
			code = 2
			continue
		}
		if err := c.signal(pid, signal); err != nil {
			c.warnf("%s\n", reason(err))
			code = 1
		}
	}
	return code
}

// signal sends one where the account may; a negative number is a group of
// processes: the one that leads it and those it started.
func (c *call) signal(pid, signal int) error {
	list := []int{pid}
	if pid < -1 {
		list = c.sys.family(-pid)
	}
	for _, pid := range list {
		p, ok := c.sys.process(pid)
		if !ok {
			return ESRCH
		}
		if c.fs.Who.UID != 0 && p.who.UID != c.fs.Who.UID {
			return EPERM
		}
		if err := c.sys.kill(pid, signal); err != nil {
			return err
		}
	}
	return nil
}

// process is what is known of a process.
func (s *System) process(pid int) (proc, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs[pid]
	if p == nil {
		return proc{}, false
	}
	return proc{pid: p.pid, ppid: p.ppid, comm: p.comm, args: p.args, env: p.env, who: p.who, start: p.start}, true
}

// processes are all of them, by their numbers.
func (s *System) processes() []proc {
	s.mu.Lock()
	pids := make([]int, 0, len(s.procs))
	for pid := range s.procs {
		pids = append(pids, pid)
	}
	s.mu.Unlock()
	slices.Sort(pids)
	var list []proc
	for _, pid := range pids {
		if p, ok := s.process(pid); ok {
			list = append(list, p)
		}
	}
	return list
}

// family is a process with all that it started.
func (s *System) family(pid int) []int {
	list := []int{pid}
	for _, p := range s.processes() {
		if slices.Contains(list, p.ppid) {
			list = append(list, p.pid)
		}
	}
	return list
}
