package debian

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// findParser reads an expression.
type findParser struct {
	f    *finding
	args []string
}

func (p *findParser) all() (condition, error) {
	test, err := p.or()
	if err == nil && len(p.args) > 0 {
		err = fmt.Errorf("paths must precede expression: `%s'", p.args[0])
	}
	return test, err
}

func (p *findParser) peek() string {
	if len(p.args) == 0 {
		return ""
	}
	return p.args[0]
}

func (p *findParser) next() string {
	s := p.peek()
	if len(p.args) > 0 {
		p.args = p.args[1:]
	}
	return s
}

func (p *findParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && (p.peek() == "-o" || p.peek() == "-or") {
		p.next()
		var right condition
		a := left
		right, err = p.and()
		left = func(f *finding, at found) bool { return a(f, at) || right(f, at) }
	}
	return left, err
}

func (p *findParser) and() (condition, error) {
	left, err := p.not()
	for err == nil {
		switch p.peek() {
		case "-a", "-and":
			p.next()
		case "", ")", "-o", "-or", ",":
			return left, nil
		}
		var right condition
		a := left
		right, err = p.not()
		left = func(f *finding, at found) bool { return a(f, at) && right(f, at) }
	}
	return left, err
}

func (p *findParser) not() (condition, error) {
	switch p.peek() {
	case "!", "-not":
		p.next()
		inner, err := p.not()
		return func(f *finding, at found) bool { return !inner(f, at) }, err
	case "(":
		p.next()
		inner, err := p.or()
		if err == nil && p.next() != ")" {
			err = words("invalid expression; I was expecting to find a ')' somewhere but did not see one.")
		}
		return inner, err
	}
	return p.primary()
}

func (p *findParser) primary() (condition, error) {
	f, name := p.f, p.next()
	yes := func(*finding, found) bool { return true }
	switch name {
	case "-print", "-print0":
		f.acts = true
		end := map[string]string{"-print": "\n", "-print0": "\x00"}[name]
		return func(f *finding, at found) bool { f.c.printf("%s%s", at.path, end); return true }, nil
	case "-true":
		return yes, nil
	case "-false":
		return func(*finding, found) bool { return false }, nil
	case "-prune":
		return func(f *finding, at found) bool { f.pruned = true; return true }, nil
	case "-quit":
		f.acts = true
		return func(f *finding, at found) bool { f.quit = true; return true }, nil
	case "-delete":
		f.acts, f.depth = true, true
		return (*finding).remove, nil
	case "-depth":
		f.depth = true
		return yes, nil
	case "-xdev", "-mount", "-ignore_readdir_race", "-noleaf":
		return yes, nil
	case "-empty":
		return func(f *finding, at found) bool {
			if at.st.IsDir() {
				list, err := f.c.fs.ReadDir(at.path)
				return err == nil && len(list) == 0
			}
			return at.st.Kind == File && at.st.Size == 0
		}, nil
	case "-readable", "-writable", "-executable":
		want := map[string]uint32{"-readable": 4, "-writable": 2, "-executable": 1}[name]
		return func(f *finding, at found) bool { return f.c.fs.Access(at.path, want) == nil }, nil
	case "-exec", "-execdir", "-ok":
		return p.exec(name)
	}
	if len(p.args) == 0 {
		if strings.HasPrefix(name, "-") && slices.Contains(findArguments, name) {
			return nil, fmt.Errorf("missing argument to `%s'", name)
		}
	}
	return p.withArgument(name)
}

var findArguments = []string{"-name", "-iname", "-path", "-wholename", "-lname", "-type", "-maxdepth", "-mindepth", "-newer", "-mmin", "-mtime", "-cmin", "-size", "-perm", "-user", "-group", "-uid", "-gid", "-links", "-inum", "-samefile", "-printf", "-regex"}

func (p *findParser) withArgument(name string) (condition, error) {
	arg := p.peek()
	if !slices.Contains(findArguments, name) {
		p.f.c.notSimulated(name)
		return nil, errSaid
	}
	p.next()
	switch name {
	case "-name":
		return func(_ *finding, at found) bool { return matchPattern(arg, at.st.Name) }, nil
	case "-iname":
		return func(_ *finding, at found) bool {
			return matchPattern(strings.ToLower(arg), strings.ToLower(at.st.Name))
		}, nil
	case "-path", "-wholename":
		return func(_ *finding, at found) bool { return matchPattern(arg, at.path) }, nil
	case "-lname":
		return func(_ *finding, at found) bool { return at.st.Kind == Link && matchPattern(arg, at.st.Link) }, nil
	case "-regex":
		re, err := compileRegexp("^("+arg+")$", true, false)
		return func(_ *finding, at found) bool { return re.MatchString(at.path) }, err
	case "-type":
		return func(_ *finding, at found) bool { return strings.IndexByte(arg, byte(at.st.Kind)) >= 0 }, nil
	case "-maxdepth", "-mindepth":
		n, err := strconv.Atoi(arg)
		if err != nil || n < 0 {
			return nil, words(fmt.Sprintf("Expected a positive decimal integer argument to %s, but got '%s'", name, arg))
		}
		if name == "-maxdepth" {
			p.f.max = n
		} else {
			p.f.min = n
		}
		return func(*finding, found) bool { return true }, nil
	case "-newer", "-samefile":
		st, err := p.f.c.fs.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("%s: %s", findQuoted(arg), reason(err))
		}
		if name == "-samefile" {
			return func(_ *finding, at found) bool { return at.st.Ino == st.Ino }, nil
		}
		return func(_ *finding, at found) bool { return at.st.MTime.After(st.MTime) }, nil
	case "-user", "-uid", "-group", "-gid":
		return p.owner(name, arg)
	case "-perm":
		return permTest(arg)
	case "-printf":
		return p.printf(arg)
	}
	return p.number(name, arg)
}

func (p *findParser) owner(name, arg string) (condition, error) {
	if name == "-user" || name == "-uid" {
		uid, _, err := p.f.c.owner(arg, false)
		if err != nil {
			return nil, fmt.Errorf("invalid user name or UID argument to -user: '%s'", arg)
		}
		return func(_ *finding, at found) bool { return at.st.UID == uint32(uid) }, nil
	}
	_, gid, err := p.f.c.owner(arg, true)
	if err != nil {
		return nil, fmt.Errorf("invalid group name or GID argument to -group: '%s'", arg)
	}
	return func(_ *finding, at found) bool { return at.st.GID == uint32(gid) }, nil
}

func permTest(arg string) (condition, error) {
	how := byte(0)
	if arg != "" && (arg[0] == '-' || arg[0] == '/') {
		how, arg = arg[0], arg[1:]
	}
	bits, err := parseMode(arg, 0, 0, false)
	if err != nil {
		return nil, fmt.Errorf("invalid mode '%s'", arg)
	}
	return func(_ *finding, at found) bool {
		switch how {
		case '-':
			return at.st.Mode&bits == bits
		case '/':
			return bits == 0 || at.st.Mode&bits != 0
		}
		return at.st.Mode == bits
	}, nil
}

// number is a test of a number that may be more (+) or less (-) than one.
func (p *findParser) number(name, arg string) (condition, error) {
	sign, digits := byte(0), arg
	if digits != "" && (digits[0] == '+' || digits[0] == '-') {
		sign, digits = digits[0], digits[1:]
	}
	unit := int64(1)
	if name == "-size" && digits != "" {
		unit = 512
		if i := strings.IndexByte("bckMGw", digits[len(digits)-1]); i >= 0 {
			unit = []int64{512, 1, 1 << 10, 1 << 20, 1 << 30, 2}[i]
			digits = digits[:len(digits)-1]
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, fmt.Errorf("invalid argument `%s' to `%s'", arg, name)
	}
	return func(f *finding, at found) bool {
		var v float64
		switch name {
		case "-size":
			v = float64((at.st.Size + unit - 1) / unit)
		case "-links":
			v = float64(at.st.Links)
		case "-inum":
			v = float64(at.st.Ino)
		case "-mtime":
			v = float64(int64(f.now.Sub(at.st.MTime) / (24 * time.Hour)))
		default: // whole minutes, rounded up but for less than
			when := at.st.MTime
			if name == "-cmin" {
				when = at.st.CTime
			}
			minutes := f.now.Sub(when).Minutes()
			switch sign {
			case '-':
				return minutes < n
			case '+':
				return minutes > n
			}
			return minutes > n-1 && minutes <= n
		}
		switch sign {
		case '-':
			return v < n
		case '+':
			return v > n
		}
		return v == n
	}, nil
}
