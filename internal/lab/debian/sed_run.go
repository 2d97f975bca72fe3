package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// editing is one run of sed.
type editing struct {
	c        *call
	ctx      context.Context
	commands []*sedCommand
	quiet    bool
	separate bool
	end      byte
	out      io.Writer

	in       []*bufio.Reader
	ahead    *string
	aheadEnd bool
	n        int
	space    string // the line that is worked on
	hold     string
	ended    bool // it had a newline
	append   []string
	changed  bool // s did something since the last t
	quit     bool
	again    bool // D: the next round reads no line
	code     int
	steps    int
	err      error
}

func (e *editing) files(files []string) int {
	if len(files) == 0 {
		files = []string{"-"}
	}
	e.out = e.c.stdout
	for _, f := range files {
		r, err := e.c.open(f)
		if err != nil {
			why := reason(err)
			if Is(err, EISDIR) {
				e.c.warnf("couldn't edit %s: not a regular file", f)
			} else {
				e.c.warnf("can't read %s: %s", f, why)
			}
			e.code = 2
			continue
		}
		defer r.Close()
		e.in = append(e.in, bufio.NewReader(r))
	}
	e.run()
	return e.finish()
}

func (e *editing) finish() int {
	if e.err != nil {
		return e.c.fail(1, "%v", e.err)
	}
	return e.code
}

func (e *editing) inPlace(files []string, suffix string) int {
	for _, f := range files {
		st, err := e.c.fs.Stat(f)
		if err != nil {
			e.c.warnf("can't read %s: %s", f, reason(err))
			e.code = 2
			continue
		}
		data, err := e.c.fs.ReadFile(f)
		if err != nil {
			e.c.warnf("couldn't edit %s: %s", f, reason(err))
			e.code = 4
			continue
		}
		var out strings.Builder
		e.out, e.in, e.n = &out, []*bufio.Reader{bufio.NewReader(strings.NewReader(string(data)))}, 0
		e.quit = false
		for _, cmd := range e.commands {
			cmd.open = false
		}
		e.run()
		if e.err != nil {
			return e.finish()
		}
		if err := e.replace(f, suffix, st, out.String()); err != nil {
			return e.c.fail(4, "couldn't write %s: %s", f, reason(err))
		}
	}
	return e.code
}

// replace puts the new text in the file's place.
func (e *editing) replace(f, suffix string, st Stat, text string) error {
	files := e.c.fs
	if suffix != "" {
		if err := files.Rename(f, f+suffix); err != nil {
			return err
		}
	}
	temp := strings.TrimRight(dirName(f), "/") + "/" + randomName("sed", 6)
	if err := files.WriteFile(temp, []byte(text), st.Mode); err != nil {
		return err
	}
	files.Chown(temp, int(st.UID), int(st.GID), true) // where it may
	if err := files.Chmod(temp, st.Mode); err != nil {
		return err
	}
	return files.Rename(temp, f)
}

// read takes the next line.
func (e *editing) read() (string, bool, bool) {
	if e.ahead != nil {
		s, ended := *e.ahead, e.aheadEnd
		e.ahead = nil
		return s, ended, true
	}
	for len(e.in) > 0 {
		line, err := e.in[0].ReadString(e.end)
		if line != "" {
			s, ended := strings.CutSuffix(line, string(e.end))
			return s, ended, true
		}
		if err != nil {
			e.in = e.in[1:]
		}
	}
	return "", false, false
}

// isLast reports whether no line follows.
func (e *editing) isLast() bool {
	if e.ahead == nil {
		s, ended, ok := e.read()
		if !ok {
			return true
		}
		e.ahead, e.aheadEnd = &s, ended
	}
	return false
}

func (e *editing) next() bool {
	s, ended, ok := e.read()
	if ok {
		e.space, e.ended = s, ended
		e.n++
	}
	return ok
}

func (e *editing) print(s string) {
	if !e.ended && e.isLast() {
		io.WriteString(e.out, s)
		return
	}
	if _, err := io.WriteString(e.out, s+string(e.end)); err != nil {
		e.quit = true
	}
}

func (e *editing) run() {
	for !e.quit && e.ctx.Err() == nil && e.err == nil {
		if !e.again && !e.next() {
			break
		}
		e.again, e.changed = false, false
		e.script()
	}
}

// script runs the commands on one line.
func (e *editing) script() {
	silent, _ := e.list(e.commands)
	if !silent && !e.quiet {
		e.print(e.space)
	}
	e.flushAppended()
}

func (e *editing) flushAppended() {
	for _, s := range e.append {
		ended := e.ended
		e.ended = true
		e.print(s)
		e.ended = ended
	}
	e.append = nil
}

// list runs commands; silent: the line is not printed, over: the rest is not run.
func (e *editing) list(commands []*sedCommand) (silent, over bool) {
	for i := 0; i < len(commands); i++ {
		cmd := commands[i]
		if e.steps++; e.steps > 10_000_000 {
			e.err = errors.New("swarmscript lab: the script does not end")
			return true, true
		}
		if e.selects(cmd) == cmd.not {
			continue
		}
		if strings.IndexByte("btT", cmd.name) >= 0 {
			jump := cmd.name == 'b' || e.changed == (cmd.name == 't')
			if cmd.name != 'b' {
				e.changed = false
			}
			if !jump {
				continue
			}
			if cmd.text == "" {
				return false, true
			}
			to := slices.IndexFunc(commands, func(c *sedCommand) bool { return c.name == ':' && c.text == cmd.text })
			if to < 0 {
				e.err = fmt.Errorf("can't find label for jump to `%s'", cmd.text)
				return true, true
			}
			i = to
			continue
		}
		if silent, over := e.one(cmd); over {
			return silent, true
		}
	}
	return false, false
}

func (e *editing) one(cmd *sedCommand) (silent, over bool) {
	switch cmd.name {
	case '{':
		return e.list(cmd.inside)
	case 's':
		e.substitute(cmd)
	case 'y':
		e.space = strings.Map(func(r rune) rune {
			if to, ok := cmd.table[r]; ok {
				return to
			}
			return r
		}, e.space)
	case 'd':
		return true, true
	case 'D':
		_, rest, more := strings.Cut(e.space, "\n")
		if more {
			e.space, e.again = rest, true
		}
		return true, true
	case 'p':
		e.print(e.space)
	case 'P':
		first, _, _ := strings.Cut(e.space, "\n")
		e.print(first)
	case 'n':
		if e.isLast() {
			e.quit = true
			return false, true
		}
		if !e.quiet {
			e.print(e.space)
		}
		e.flushAppended()
		e.next()
	case 'N':
		if e.isLast() {
			e.quit = true
			return false, true
		}
		before := e.space
		e.next()
		e.space = before + "\n" + e.space
	case 'g', 'G', 'h', 'H', 'x':
		e.holdSpace(cmd.name)
	case '=':
		fmt.Fprintln(e.out, e.n)
	case 'a':
		e.append = append(e.append, cmd.text)
	case 'i':
		fmt.Fprintln(e.out, cmd.text)
	case 'c':
		if cmd.to == nil || !cmd.open || cmd.not {
			fmt.Fprintln(e.out, cmd.text)
		}
		return true, true
	case 'q', 'Q':
		e.quit, e.code = true, cmd.code
		return cmd.name == 'Q', true
	}
	return false, false
}

// holdSpace are the commands of the second line that sed keeps.
func (e *editing) holdSpace(name byte) {
	switch name {
	case 'g':
		e.space = e.hold
	case 'G':
		e.space += "\n" + e.hold
	case 'h':
		e.hold = e.space
	case 'H':
		e.hold += "\n" + e.space
	case 'x':
		e.space, e.hold = e.hold, e.space
	}
}

// selects reports whether a command is for the line.
func (e *editing) selects(cmd *sedCommand) bool {
	switch {
	case cmd.from == nil:
		return true
	case cmd.to == nil:
		return e.fits(cmd.from)
	case cmd.open:
		if cmd.end > 0 {
			cmd.open = e.n < cmd.end
			return e.n <= cmd.end || e.fits(cmd.from)
		}
		cmd.open = !e.fits(cmd.to)
		return true
	case !e.fits(cmd.from) && !(cmd.from.line == 0 && cmd.from.re == nil && !cmd.from.last && e.n == 1):
		return false
	}
	cmd.open, cmd.end = true, 0
	switch to := cmd.to; {
	case to.line == -1:
		cmd.end = e.n + to.more
		cmd.open = to.more > 0
	case to.line > 0:
		cmd.end = to.line
		cmd.open = to.line > e.n
	case to.last:
		cmd.open = !e.isLast()
	}
	return true
}

func (e *editing) fits(a *sedAddress) bool {
	switch {
	case a.re != nil:
		return a.re.MatchString(e.space)
	case a.last:
		return e.isLast()
	case a.step > 0:
		return e.n >= a.line && (e.n-a.line)%a.step == 0
	}
	return e.n == a.line
}

func (e *editing) substitute(cmd *sedCommand) {
	var b strings.Builder
	s, at, n, done := e.space, 0, 0, false
	for _, m := range cmd.re.FindAllStringSubmatchIndex(s, -1) {
		if n++; n < cmd.nth {
			continue
		}
		b.WriteString(s[at:m[0]])
		b.WriteString(expandReplacement(cmd.with, s, m))
		at, done = m[1], true
		if !cmd.global {
			break
		}
	}
	if !done {
		return
	}
	b.WriteString(s[at:])
	e.space, e.changed = b.String(), true
	if cmd.print {
		e.print(e.space)
	}
}

// expandReplacement puts what was found into a replacement: & and \1 to \9.
func expandReplacement(with, s string, m []int) string {
	var b strings.Builder
	for i := 0; i < len(with); i++ {
		switch ch := with[i]; {
		case ch == '&':
			b.WriteString(s[m[0]:m[1]])
		case ch == '\\' && i+1 < len(with):
			i++
			switch d := with[i]; {
			case d >= '0' && d <= '9':
				if g := int(d-'0') * 2; g+1 < len(m) && m[g] >= 0 {
					b.WriteString(s[m[g]:m[g+1]])
				}
			case d == 'n':
				b.WriteByte('\n')
			case d == 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(d)
			}
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}
