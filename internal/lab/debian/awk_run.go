package debian

import (
	"bufio"
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// awkValue is a text or a number; what comes from the input may be both.
type awkValue struct {
	s        string
	n        float64
	isNumber bool // n is what counts
	input    bool // s looks like a number where it is one
}

func awkText(s string) awkValue    { return awkValue{s: s} }
func awkNumber(n float64) awkValue { return awkValue{n: n, isNumber: true} }
func awkBool(b bool) awkValue      { return awkNumber(float64(b2i(b))) }
func awkInput(s string) awkValue   { return awkValue{s: s, input: true} }
func (v awkValue) isZero() bool    { return v == awkValue{} }
func (v awkValue) numeric() bool   { return v.isNumber || v.isZero() || v.input && looksNumeric(v.s) }
func looksNumeric(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}

func (v awkValue) number() float64 {
	if v.isNumber {
		return v.n
	}
	s := strings.TrimSpace(v.s)
	end := 0
	for end < len(s) && strings.IndexByte("0123456789.+-eE", s[end]) >= 0 {
		end++
	}
	for ; end > 0; end-- {
		if n, err := strconv.ParseFloat(s[:end], 64); err == nil {
			return n
		}
	}
	return 0
}

func (v awkValue) truth() bool {
	if v.numeric() {
		return v.number() != 0
	}
	return v.s != ""
}

// awk is one run of a program.
type awk struct {
	ctx    context.Context
	c      *call
	rules  []*awkRule
	vars   map[string]awkValue
	arrays map[string]map[string]awkValue
	record string
	fields []string // nil: not split yet
	stale  bool     // a field was changed
	code   int
	steps  int
	err    error
	res    map[string]*regexp.Regexp
}

func awkProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("F:v:f:", "field-separator=", "assign=", "file=")
	if !ok {
		return bad
	}
	a := &awk{ctx: ctx, c: c, arrays: map[string]map[string]awkValue{}, res: map[string]*regexp.Regexp{}, vars: map[string]awkValue{
		"FS": awkText(" "), "OFS": awkText(" "), "ORS": awkText("\n"), "RS": awkText("\n"), "SUBSEP": awkText("\x1c"), "OFMT": awkText("%.6g"), "CONVFMT": awkText("%.6g")}}
	program, given := "", false
	for _, o := range opts {
		switch o.name {
		case "F", "field-separator":
			fs, _ := unescape(o.value, false)
			if fs == "t" {
				fs = "\t"
			}
			a.vars["FS"] = awkText(fs)
		case "v", "assign":
			name, value, _ := strings.Cut(o.value, "=")
			value, _ = unescape(value, false)
			a.vars[name] = awkInput(value)
		case "f", "file":
			data, err := c.fs.ReadFile(o.value)
			if err != nil {
				return c.fail(2, "cannot open %q (%s)", o.value, reason(err))
			}
			program, given = program+string(data)+"\n", true
		}
	}
	if !given {
		if len(rest) == 0 {
			return c.fail(2, "usage: awk [-F fs][-v var=value] 'program' [file ...]")
		}
		program, rest = rest[0], rest[1:]
	}
	var err error
	if a.rules, err = parseAwk(program); err != nil {
		return c.fail(2, "%v", err)
	}
	for _, kv := range c.env {
		name, value, _ := strings.Cut(kv, "=")
		a.array("ENVIRON")[name] = awkInput(value)
	}
	return a.run(rest)
}

func (a *awk) run(files []string) int {
	over := a.special(func(r *awkRule) bool { return r.begin })
	reads := slices.ContainsFunc(a.rules, func(r *awkRule) bool { return !r.begin })
	if !over && reads {
		code := a.c.each(files, func(name string, r io.Reader) error {
			if eq := strings.IndexByte(name, '='); eq > 0 && !a.c.fs.Exists(name) {
				return nil
			}
			a.set("FILENAME", awkText(name))
			a.set("FNR", awkNumber(0))
			return a.records(r)
		})
		if code != 0 {
			a.code = 2
		}
	}
	if a.err == nil || errors.Is(a.err, errAwkOver) {
		a.err = nil // END runs after exit too
		a.special(func(r *awkRule) bool { return r.end })
	}
	if a.err != nil && !errors.Is(a.err, errAwkOver) {
		return a.c.fail(2, "%v", a.err)
	}
	return a.code & 0xff
}

// errAwkOver ends the reading after exit.
var errAwkOver = errors.New("exit")

// special runs the rules of BEGIN or END.
func (a *awk) special(which func(*awkRule) bool) (over bool) {
	for _, r := range a.rules {
		if which(r) && r.action(a) == awkExit {
			return true
		}
	}
	return false
}

func (a *awk) records(r io.Reader) error {
	rs := a.text(a.get("RS"))
	in := bufio.NewReader(r)
	for a.goesOn() {
		record, ok, err := readRecord(in, rs)
		if err != nil || !ok {
			return err
		}
		a.record, a.fields, a.stale = record, nil, false
		a.set("NR", awkNumber(a.get("NR").number()+1))
		a.set("FNR", awkNumber(a.get("FNR").number()+1))
		if a.one() == awkExit {
			a.err = errAwkOver
			return nil
		}
	}
	return nil
}

// readRecord reads to a separator; an empty one means an empty line.
func readRecord(in *bufio.Reader, rs string) (string, bool, error) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		switch {
		case rs == "\n":
			if err != nil && line == "" {
				return "", false, nil
			}
			return strings.TrimSuffix(line, "\n"), true, nil
		case rs == "" && line == "\n":
			if b.Len() > 0 {
				return strings.TrimSuffix(b.String(), "\n"), true, nil
			}
		case rs == "":
			b.WriteString(line)
			if err != nil {
				return strings.TrimSuffix(b.String(), "\n"), b.Len() > 0, nil
			}
		default:
			return "", false, errors.New("swarmscript lab: not simulated: RS of awk but newline and nothing")
		}
		if err != nil {
			return "", false, nil
		}
	}
}

// one runs the rules on a record.
func (a *awk) one() awkFlow {
	for _, r := range a.rules {
		if r.begin || r.end || !a.selects(r) {
			continue
		}
		if r.action == nil {
			a.print(nil, false, false)
			continue
		}
		switch flow := r.action(a); flow {
		case awkNext:
			return awkOn
		case awkExit:
			return flow
		}
	}
	return awkOn
}

func (a *awk) selects(r *awkRule) bool {
	switch {
	case r.from == nil:
		return true
	case r.to == nil:
		return r.from(a).truth()
	case !r.open && !r.from(a).truth():
		return false
	}
	r.open = !r.to(a).truth()
	return true
}

// goesOn ends a program that does not end itself.
func (a *awk) goesOn() bool {
	if a.steps++; a.steps > 50_000_000 {
		a.err = errors.New("swarmscript lab: the program does not end")
	}
	return a.ctx.Err() == nil && (a.err == nil)
}

func (a *awk) print(args []awkExpr, formatted, toErr bool) {
	texts := make([]string, len(args))
	for i, e := range args {
		texts[i] = a.text(e(a))
	}
	out := ""
	switch {
	case formatted:
		var wrong []string
		if out, wrong = formatOnce(texts[0], texts[1:]); wrong != nil && a.err == nil && strings.Contains(wrong[0], "invalid directive") {
			a.err = errors.New(wrong[0])
		}
	case len(args) == 0:
		out = a.current() + a.text(a.vars["ORS"])
	default:
		out = strings.Join(texts, a.text(a.vars["OFS"])) + a.text(a.vars["ORS"])
	}
	if toErr {
		a.c.flush()
		io.WriteString(a.c.stderr, out)
		return
	}
	if _, err := io.WriteString(a.c.stdout, out); err != nil && a.err == nil {
		a.err = errAwkOver
	}
}

// formatOnce is printf whose format is used once.
func formatOnce(format string, args []string) (string, []string) {
	p := &printing{args: args}
	p.once(format)
	return p.b.String(), p.wrong
}
