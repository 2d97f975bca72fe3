package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// command is a program of the simulated machine. It returns the exit code, and
// ends soon after its context does.
type command func(ctx context.Context, c *call) int

// program is a command and where its file is.
type program struct {
	at    string // "/usr/bin/ls"
	run   command
	extra bool // a package brings it: the image alone does not have it
}

// programs is all that can be run, by name.
func programs() map[string]program {
	all := map[string]program{}
	for _, part := range []map[string]program{filePrograms(), textPrograms(), processPrograms(), systemPrograms()} {
		for name, p := range part {
			all[name] = p
		}
	}
	return all
}

// in puts commands into a folder.
func in(folder string, commands map[string]command) map[string]program {
	all := map[string]program{}
	for name, run := range commands {
		all[name] = program{at: folder + "/" + name, run: run}
	}
	return all
}

// binaryMark begins the file of a program; its name and a newline follow. A file
// that is copied or linked is the same program.
const binaryMark = "\x7fELF\x02\x01\x01\x00swarmscript lab: "

// binary is what the file of a program holds.
func binary(name string) []byte { return []byte(binaryMark + name + "\n") }

// call is one run of a program.
type call struct {
	sys    *System
	proc   *proc
	args   []string // with the name
	env    []string
	fs     *Files // whose it is, its working folder, its umask
	fds    *fdTable
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	out    *bufio.Writer // behind stdout
	prefix string        // before the name in messages: the shell's, of its own commands
}

// name is what the command was called by.
func (c *call) name() string { return c.args[0][strings.LastIndexByte(c.args[0], '/')+1:] }

// getenv returns an environment variable, "" where there is none.
func (c *call) getenv(name string) string {
	for i := len(c.env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(c.env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

func (c *call) printf(format string, args ...any) { fmt.Fprintf(c.stdout, format, args...) }

// flush hands on what was printed; the end of a command does it too.
func (c *call) flush() error { return c.out.Flush() }

// warnf says something on standard error, after the command's name.
func (c *call) warnf(format string, args ...any) {
	c.flush()
	fmt.Fprintf(c.stderr, "%s%s: %s\n", c.prefix, c.name(), fmt.Sprintf(format, args...))
}

// fail is warnf for a command that ends with it.
func (c *call) fail(code int, format string, args ...any) int {
	c.warnf(format, args...)
	return code
}

// usage is fail for a call that makes no sense.
func (c *call) usage(format string, args ...any) int {
	c.warnf(format, args...)
	fmt.Fprintf(c.stderr, "Try '%s --help' for more information.\n", c.name())
	return 1
}

// failErr is fail for an error of the file system: "NAME: PATH: reason".
func (c *call) failErr(code int, err error) int {
	var at *fs.PathError
	if errors.As(err, &at) {
		return c.fail(code, "%s: %s", at.Path, reason(err))
	}
	return c.fail(code, "%s", reason(err))
}

// notSimulated is the end of a command that was asked for what it does not know.
func (c *call) notSimulated(what string) int {
	c.flush()
	fmt.Fprintf(c.stderr, "swarmscript lab: not simulated: %s %s\n", c.name(), what)
	return 2
}

// option is one that was given.
type option struct {
	name  string // without dashes
	value string
}

// options takes the options from the arguments, wherever they are, up to "--". Short
// ones are letters, with a colon after those that have a value; of the long ones, those
// with a value end in "=", and those that may have one in "=?". What is not known ends
// the command: its code is in bad then, and ok is false.
func (c *call) options(short string, long ...string) (opts []option, operands []string, bad int, ok bool) {
	p := optionParser{c: c, short: short, long: long, left: c.args[1:]}
	if bad := p.parse(); bad != 0 {
		return nil, nil, bad, false
	}
	return p.opts, p.operands, 0, true
}

// optionsFirst is options for commands whose options end at the first operand.
func (c *call) optionsFirst(short string, long ...string) (opts []option, operands []string, bad int, ok bool) {
	p := optionParser{c: c, short: short, long: long, left: c.args[1:], first: true}
	if bad := p.parse(); bad != 0 {
		return nil, nil, bad, false
	}
	return p.opts, p.operands, 0, true
}

type optionParser struct {
	c        *call
	short    string
	long     []string
	first    bool
	left     []string
	opts     []option
	operands []string
}

func (p *optionParser) parse() int {
	for len(p.left) > 0 {
		arg := p.left[0]
		p.left = p.left[1:]
		bad := 0
		switch {
		case arg == "--":
			p.operands = append(p.operands, p.left...)
			return 0
		case strings.HasPrefix(arg, "--"):
			bad = p.longOption(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			bad = p.shortOptions(arg[1:])
		case p.first:
			p.operands = append(append(p.operands, arg), p.left...)
			return 0
		default:
			p.operands = append(p.operands, arg)
		}
		if bad != 0 {
			return bad
		}
	}
	return 0
}

func (p *optionParser) longOption(arg string) int {
	name, value, given := strings.Cut(arg, "=")
	for _, l := range p.long {
		known := strings.TrimRight(l, "=?")
		if known != name {
			continue
		}
		switch {
		case strings.HasSuffix(l, "=") && !given:
			if len(p.left) == 0 {
				return p.c.fail(2, "option '--%s' requires an argument", name)
			}
			value, p.left = p.left[0], p.left[1:]
		case given && known == l:
			return p.c.fail(2, "option '--%s' doesn't allow an argument", name)
		}
		p.opts = append(p.opts, option{name, value})
		return 0
	}
	return p.c.notSimulated("option --" + name)
}

func (p *optionParser) shortOptions(letters string) int {
	for i := range len(letters) {
		at := strings.IndexByte(p.short, letters[i])
		if at < 0 || letters[i] == ':' {
			return p.c.notSimulated("option -" + letters[i:i+1])
		}
		o := option{name: letters[i : i+1]}
		if at+1 < len(p.short) && p.short[at+1] == ':' {
			o.value = letters[i+1:]
			if o.value == "" {
				if len(p.left) == 0 {
					return p.c.fail(2, "option requires an argument -- '%s'", o.name)
				}
				o.value, p.left = p.left[0], p.left[1:]
			}
			p.opts = append(p.opts, o)
			return 0
		}
		p.opts = append(p.opts, o)
	}
	return 0
}
