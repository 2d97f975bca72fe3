package debian

import (
	"context"
	"strings"
)

func (sh *shell) doRead(_ context.Context, args []string) int {
	rest := args[1:]
	raw := false
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		switch rest[0] {
		case "-r":
			raw = true
		case "-p":
			if len(rest) < 2 {
				return sh.say(args, 2, "No arg for -p option")
			}
			sh.fds.at(2).Write([]byte(rest[1]))
			rest = rest[1:]
		case "--":
		default:
			return sh.say(args, 2, "Illegal option %s", rest[0])
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		if !sh.bash {
			return sh.say(args, 2, "arg count")
		}
		rest = []string{"REPLY"}
	}
	line, kept, ended := sh.readLine(raw)
	for i, value := range splitRead(line, kept, sh.ifs(), len(rest)) {
		if err := sh.set(rest[i], value); err != nil {
			sh.fatal("%v", err)
			return 2
		}
	}
	return b2i(!ended)
}

func (sh *shell) ifs() string {
	if v := sh.vars["IFS"]; v.IsSet() {
		return v.String()
	}
	return " \t\n"
}

// readLine reads a line, and no byte after it. kept says which bytes had a backslash before them.
func (sh *shell) readLine(raw bool) (line []byte, kept []bool, ended bool) {
	for {
		b, err := sh.fds.at(0).ReadByte()
		if err != nil {
			return line, kept, false
		}
		if b == 0 {
			continue
		}
		if b == '\\' && !raw {
			if b, err = sh.fds.at(0).ReadByte(); err != nil {
				return line, kept, false
			}
			if b != '\n' {
				line, kept = append(line, b), append(kept, true)
			}
			continue
		}
		if b == '\n' {
			return line, kept, true
		}
		line, kept = append(line, b), append(kept, false)
	}
}

// splitRead splits a line into n values; the last has the rest.
func splitRead(line []byte, kept []bool, ifs string, n int) []string {
	values := make([]string, n)
	is := func(i int) bool { return i < len(line) && !kept[i] && strings.IndexByte(ifs, line[i]) >= 0 }
	blank := func(i int) bool { return is(i) && strings.IndexByte(" \t\n", line[i]) >= 0 }
	i := 0
	for blank(i) {
		i++
	}
	for k := range n {
		if k == n-1 {
			values[k] = string(lastField(line, kept, i, is, blank))
			break
		}
		start := i
		for i < len(line) && !is(i) {
			i++
		}
		values[k] = string(line[start:i])
		for blank(i) {
			i++
		}
		if is(i) && !blank(i) {
			i++
			for blank(i) {
				i++
			}
		}
	}
	return values
}

// lastField is the rest of a line without the blanks at its end, and without one
// separator there where that is the only one.
func lastField(line []byte, _ []bool, start int, is, blank func(int) bool) []byte {
	end := len(line)
	for end > start && blank(end-1) {
		end--
	}
	if end > start && is(end-1) {
		only := true
		for i := start; i < end-1; i++ {
			only = only && !is(i)
		}
		if only {
			end--
		}
	}
	return line[min(start, end):end]
}
