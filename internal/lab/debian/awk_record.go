package debian

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (a *awk) get(name string) awkValue {
	if name == "NF" {
		a.split()
		return awkNumber(float64(len(a.fields)))
	}
	return a.vars[name]
}

func (a *awk) set(name string, v awkValue) {
	if name == "NF" {
		a.split()
		n := max(0, int(v.number()))
		a.fields = append(a.fields[:min(n, len(a.fields))], make([]string, max(0, n-len(a.fields)))...)
		a.stale = true
		return
	}
	a.vars[name] = v
}

func (a *awk) array(name string) map[string]awkValue {
	if a.arrays[name] == nil {
		a.arrays[name] = map[string]awkValue{}
	}
	return a.arrays[name]
}

// keys are those of an array: numbers in their order first.
func (a *awk) keys(name string) []string {
	return slices.SortedFunc(maps.Keys(a.arrays[name]), func(x, y string) int {
		if looksNumeric(x) && looksNumeric(y) {
			return int(awkText(x).number() - awkText(y).number())
		}
		return strings.Compare(x, y)
	})
}

// text is a value as a text: whole numbers as such.
func (a *awk) text(v awkValue) string {
	if !v.isNumber {
		return v.s
	}
	if v.n == math.Trunc(v.n) && math.Abs(v.n) < 1e16 {
		return strconv.FormatInt(int64(v.n), 10)
	}
	s, _ := formatPrintf(a.vars["OFMT"].s, []string{strconv.FormatFloat(v.n, 'g', -1, 64)})
	return s
}

func (a *awk) split() {
	if a.fields == nil {
		a.fields = a.splitText(a.current(), a.text(a.vars["FS"]))
	}
}

func (a *awk) splitText(s, fs string) []string {
	switch {
	case fs == " ":
		return append([]string{}, strings.Fields(s)...)
	case s == "":
		return []string{}
	case len(fs) == 1:
		return strings.Split(s, fs)
	}
	re := a.regexp(fs)
	if re == nil {
		return []string{s}
	}
	return re.Split(s, -1)
}

// current is the record with the fields that were changed.
func (a *awk) current() string {
	if a.stale {
		a.record, a.stale = strings.Join(a.fields, a.text(a.vars["OFS"])), false
	}
	return a.record
}

func (a *awk) field(n int) awkValue {
	if n == 0 {
		return awkInput(a.current())
	}
	a.split()
	if n < 0 || n > len(a.fields) {
		return awkValue{}
	}
	return awkInput(a.fields[n-1])
}

func (a *awk) setField(n int, s string) {
	if n == 0 {
		a.record, a.fields, a.stale = s, nil, false
		return
	}
	a.split()
	if n < 0 || n > 100_000 {
		a.err = fmt.Errorf("trying to access out of range field %d", n)
		return
	}
	for len(a.fields) < n {
		a.fields = append(a.fields, "")
	}
	a.fields[n-1], a.stale = s, true
}

func (a *awk) regexp(s string) *regexp.Regexp {
	if re, ok := a.res[s]; ok {
		return re
	}
	re, err := compileRegexp(s, true, false)
	if err != nil {
		a.err = err
		return nil
	}
	a.res[s] = re
	return re
}

func (a *awk) matches(pattern, s string) bool {
	re := a.regexp(pattern)
	return re != nil && re.MatchString(s)
}

func (a *awk) compare(x awkValue, op string, y awkValue) bool {
	n := 0
	if x.numeric() && y.numeric() {
		switch d := x.number() - y.number(); {
		case d < 0:
			n = -1
		case d > 0:
			n = 1
		}
	} else {
		n = strings.Compare(a.text(x), a.text(y))
	}
	switch op {
	case "<":
		return n < 0
	case "<=":
		return n <= 0
	case "==":
		return n == 0
	case "!=":
		return n != 0
	case ">":
		return n > 0
	}
	return n >= 0
}

func (a *awk) calculate(x float64, op string, y float64) float64 {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "^":
		return math.Pow(x, y)
	}
	if y == 0 {
		if a.err == nil {
			a.err = errors.New("division by zero")
		}
		return 0
	}
	if op == "%" {
		return math.Mod(x, y)
	}
	return x / y
}
