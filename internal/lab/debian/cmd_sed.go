package debian

import (
	"context"
	"regexp"
	"strings"
)

// sedAddress says which lines a command is for.
type sedAddress struct {
	line int // 0: not by number
	step int // of first~step
	last bool
	re   *regexp.Regexp
	more int // of addr,+N
}

// sedCommand is one command of a script.
type sedCommand struct {
	from, to *sedAddress
	not      bool
	name     byte
	text     string // of a, i and c, and the label of b, t and :
	re       *regexp.Regexp
	with     string // what s puts there
	global   bool
	print    bool
	nth      int
	table    map[rune]rune // of y
	code     int           // of q
	inside   []*sedCommand // of {}
	open     bool          // a range has begun
	end      int           // and ends with this line
}

func sedProgram(ctx context.Context, c *call) int {
	args := []string{c.args[0]}
	inPlace, suffix := false, ""
	for _, a := range c.args[1:] { // -i has its value with it or none
		switch {
		case strings.HasPrefix(a, "-i") && !strings.HasPrefix(a, "--"):
			inPlace, suffix = true, a[2:]
		case strings.HasPrefix(a, "--in-place"):
			inPlace = true
			_, suffix, _ = strings.Cut(a, "=")
		default:
			args = append(args, a)
		}
	}
	c.args = args
	opts, rest, bad, ok := c.options("nrEe:f:suz", "quiet", "silent", "regexp-extended", "expression=", "file=", "separate", "unbuffered", "null-data")
	if !ok {
		return bad
	}
	p := &sedParser{}
	e := &editing{c: c, ctx: ctx, separate: inPlace, end: '\n'}
	var scripts []string
	for _, o := range opts {
		switch o.name {
		case "n", "quiet", "silent":
			e.quiet = true
		case "r", "E", "regexp-extended":
			p.extended = true
		case "e", "expression":
			scripts = append(scripts, o.value)
		case "f", "file":
			data, err := c.fs.ReadFile(o.value)
			if err != nil {
				return c.fail(1, "couldn't open file %s: %s", o.value, reason(err))
			}
			scripts = append(scripts, strings.TrimSuffix(string(data), "\n"))
		case "s", "separate":
			e.separate = true
		case "z", "null-data":
			e.end = 0
		}
	}
	if scripts == nil {
		if len(rest) == 0 {
			return c.fail(1, "usage: sed [OPTION]... {script} [input-file]...")
		}
		scripts, rest = rest[:1], rest[1:]
	}
	p.s = strings.Join(scripts, "\n")
	if strings.HasPrefix(p.s, "#n\n") {
		e.quiet = true
	}
	commands, err := p.commands(false)
	if err != nil {
		return c.fail(1, "-e expression #1, char %d: %v", p.i, err)
	}
	e.commands = commands
	if inPlace {
		return e.inPlace(rest, suffix)
	}
	return e.files(rest)
}
