package debian

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// span is a range of positions; hi 0 has no end.
type span struct{ lo, hi int }

// spans reads what cut takes: 1,3-5,7-.
func spans(s string) ([]span, error) {
	var list []span
	for _, part := range strings.Split(s, ",") {
		lo, hi, both := strings.Cut(part, "-")
		var r span
		var err, err2 error
		r.lo = 1
		if lo != "" {
			r.lo, err = strconv.Atoi(lo)
		}
		switch {
		case !both:
			r.hi = r.lo
		case hi != "":
			r.hi, err2 = strconv.Atoi(hi)
		}
		if err != nil || err2 != nil || part == "" || part == "-" {
			return nil, fmt.Errorf("invalid field value '%s'", part)
		}
		if r.lo < 1 {
			return nil, fmt.Errorf("fields are numbered from 1")
		}
		if r.hi != 0 && r.hi < r.lo {
			return nil, fmt.Errorf("invalid decreasing range")
		}
		list = append(list, r)
	}
	return list, nil
}

func inSpans(list []span, n int) bool {
	return slices.ContainsFunc(list, func(r span) bool { return n >= r.lo && (r.hi == 0 || n <= r.hi) })
}

func cutProgram(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("b:c:f:d:sz", "bytes=", "characters=", "fields=", "delimiter=", "only-delimited", "output-delimiter=", "complement")
	if !ok {
		return bad
	}
	var list []span
	fields, only, complement := false, false, false
	delimiter, output := "\t", ""
	for _, o := range opts {
		var err error
		switch o.name {
		case "b", "c", "bytes", "characters":
			list, err = spans(o.value)
		case "f", "fields":
			fields = true
			list, err = spans(o.value)
		case "d", "delimiter":
			if delimiter = o.value; len(delimiter) > 1 {
				return c.fail(1, "the delimiter must be a single character")
			}
		case "s", "only-delimited":
			only = true
		case "output-delimiter":
			output = o.value
		case "complement":
			complement = true
		default:
			return c.notSimulated("option -" + o.name)
		}
		if err != nil {
			return c.fail(1, "%v", err)
		}
	}
	if list == nil {
		return c.fail(1, "you must specify a list of bytes, characters, or fields")
	}
	output = cmp.Or(output, delimiter)
	keep := func(n int) bool { return inSpans(list, n) != complement }
	return c.each(files, func(_ string, r io.Reader) error {
		return eachLine(r, func(line []byte, _ bool) error {
			if !fields {
				var out []byte
				for i, b := range line {
					if keep(i + 1) {
						out = append(out, b)
					}
				}
				return c.line(out, true)
			}
			parts := strings.Split(string(line), delimiter)
			if len(parts) == 1 {
				if only {
					return nil
				}
				return c.line(line, true)
			}
			var out []string
			for i, p := range parts {
				if keep(i + 1) {
					out = append(out, p)
				}
			}
			return c.line([]byte(strings.Join(out, output)), true)
		})
	})
}
