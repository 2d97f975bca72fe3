package debian

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// testing is one evaluation of test(1).
type testing struct {
	fs   *Files
	fds  *fdTable
	args []string
	err  error
}

// runTest evaluates the arguments of test.
func runTest(files *Files, fds *fdTable, args []string) (bool, error) {
	t := &testing{fs: files, fds: fds, args: args}
	ok := t.posix()
	return ok, t.err
}

// posix follows the rules for up to four arguments, and the grammar beyond them.
func (t *testing) posix() bool {
	a := t.args
	switch len(a) {
	case 0:
		return false
	case 1:
		return a[0] != ""
	case 2:
		if a[0] == "!" {
			return a[1] == ""
		}
		if isUnary(a[0]) {
			return t.unary(a[0], a[1])
		}
		t.err = fmt.Errorf("%s: unexpected operator", a[0])
		return false
	case 3:
		if isBinary(a[1]) {
			return t.binary(a[0], a[1], a[2])
		}
		if a[0] == "!" {
			t.args = a[1:]
			return !t.posix()
		}
	case 4:
		if a[0] == "!" {
			t.args = a[1:]
			return !t.posix()
		}
	}
	ok := t.or()
	if len(t.args) > 0 && t.err == nil {
		t.err = fmt.Errorf("%s: unexpected operator", t.args[0])
	}
	return ok
}

func (t *testing) next() string {
	if len(t.args) == 0 {
		if t.err == nil {
			t.err = errors.New("argument expected")
		}
		return ""
	}
	s := t.args[0]
	t.args = t.args[1:]
	return s
}

func (t *testing) or() bool {
	ok := t.and()
	for t.err == nil && len(t.args) > 0 && t.args[0] == "-o" {
		t.next()
		more := t.and()
		ok = ok || more
	}
	return ok
}

func (t *testing) and() bool {
	ok := t.not()
	for t.err == nil && len(t.args) > 0 && t.args[0] == "-a" {
		t.next()
		more := t.not()
		ok = ok && more
	}
	return ok
}

func (t *testing) not() bool {
	if len(t.args) > 1 && t.args[0] == "!" {
		t.next()
		return !t.not()
	}
	return t.primary()
}

func (t *testing) primary() bool {
	if t.err != nil {
		return false
	}
	if len(t.args) > 2 && isBinary(t.args[1]) {
		a, op, b := t.next(), t.next(), t.next()
		return t.binary(a, op, b)
	}
	s := t.next()
	if s == "(" {
		ok := t.or()
		if t.next() != ")" && t.err == nil {
			t.err = errors.New("closing paren expected")
		}
		return ok
	}
	if isUnary(s) && len(t.args) > 0 {
		return t.unary(s, t.next())
	}
	return s != ""
}

func isUnary(s string) bool {
	return len(s) == 2 && s[0] == '-' && strings.IndexByte("bcdefghknOGprsStuwxzL", s[1]) >= 0
}

func isBinary(s string) bool {
	switch s {
	case "=", "==", "!=", "<", ">", "-eq", "-ne", "-gt", "-ge", "-lt", "-le", "-nt", "-ot", "-ef":
		return true
	}
	return false
}

func (t *testing) unary(op, arg string) bool {
	switch op {
	case "-n":
		return arg != ""
	case "-z":
		return arg == ""
	case "-t":
		return false
	case "-h", "-L":
		st, err := t.fs.Lstat(arg)
		return err == nil && st.Kind == Link
	case "-r", "-w", "-x":
		return t.fs.Access(arg, map[string]uint32{"-r": 4, "-w": 2, "-x": 1}[op]) == nil
	}
	st, err := t.fs.Stat(arg)
	if err != nil {
		return false
	}
	switch op {
	case "-d":
		return st.IsDir()
	case "-f":
		return st.Kind == File
	case "-s":
		return st.Size > 0
	case "-S":
		return st.Kind == Socket
	case "-c":
		return st.Kind == Device
	case "-b", "-p":
		return false
	case "-u", "-g", "-k":
		return st.Mode&map[string]uint32{"-u": 0o4000, "-g": 0o2000, "-k": 0o1000}[op] != 0
	case "-O":
		return st.UID == t.fs.Who.UID
	case "-G":
		return st.GID == t.fs.Who.GID
	}
	return true // -e
}

func (t *testing) binary(a, op, b string) bool {
	switch op {
	case "=", "==":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case ">":
		return a > b
	case "-nt", "-ot", "-ef":
		return t.files(a, op, b)
	}
	x, y := t.number(a), t.number(b)
	switch op {
	case "-eq":
		return x == y
	case "-ne":
		return x != y
	case "-gt":
		return x > y
	case "-ge":
		return x >= y
	case "-lt":
		return x < y
	}
	return x <= y
}

func (t *testing) files(a, op, b string) bool {
	x, errX := t.fs.Stat(a)
	y, errY := t.fs.Stat(b)
	switch op {
	case "-nt":
		return errX == nil && (errY != nil || x.MTime.After(y.MTime))
	case "-ot":
		return errY == nil && (errX != nil || x.MTime.Before(y.MTime))
	}
	return errX == nil && errY == nil && x.Ino == y.Ino
}

func (t *testing) number(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil && t.err == nil {
		t.err = words("Illegal number: " + s)
	}
	return n
}
