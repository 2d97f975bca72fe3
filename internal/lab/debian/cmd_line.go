package debian

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

func seqProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("ws:", "equal-width", "separator=")
	if !ok {
		return bad
	}
	sep, wide := "\n", false
	for _, o := range opts {
		switch o.name {
		case "s", "separator":
			sep = o.value
		default:
			wide = true
		}
	}
	from, step, to := int64(1), int64(1), int64(0)
	var n []int64
	for _, arg := range rest {
		v, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return c.fail(1, "invalid floating point argument: '%s'", arg)
		}
		n = append(n, v)
	}
	switch len(n) {
	case 1:
		to = n[0]
	case 2:
		from, to = n[0], n[1]
	case 3:
		from, step, to = n[0], n[1], n[2]
	default:
		return c.usage("missing operand")
	}
	if step == 0 {
		return c.fail(1, "invalid Zero increment value: '0'")
	}
	width := 0
	if wide {
		width = max(len(strconv.FormatInt(from, 10)), len(strconv.FormatInt(to, 10)))
	}
	printed := false
	for i := from; step > 0 && i <= to || step < 0 && i >= to; i += step {
		if printed {
			io.WriteString(c.stdout, sep)
		}
		if _, err := fmt.Fprintf(c.stdout, "%0*d", width, i); err != nil {
			return 1
		}
		printed = true
	}
	if printed {
		c.printf("\n")
	}
	return 0
}

func yesProgram(ctx context.Context, c *call) int {
	s := "y"
	if len(c.args) > 1 {
		s = strings.Join(c.args[1:], " ")
	}
	for ctx.Err() == nil {
		if _, err := fmt.Fprintln(c.stdout, s); err != nil {
			return 128 + 13
		}
	}
	return 0
}

func tacProgram(_ context.Context, c *call) int {
	return c.each(c.args[1:], func(_ string, r io.Reader) error {
		var lines []string
		if err := eachLine(r, func(s []byte, ended bool) error { lines = append(lines, string(s)); return nil }); err != nil {
			return err
		}
		for _, s := range slices.Backward(lines) {
			c.printf("%s\n", s)
		}
		return nil
	})
}

func revProgram(_ context.Context, c *call) int {
	return c.each(c.args[1:], func(_ string, r io.Reader) error {
		return eachLine(r, func(s []byte, ended bool) error {
			runes := []rune(string(s))
			slices.Reverse(runes)
			return c.line([]byte(string(runes)), ended)
		})
	})
}

func basenameProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("as:z", "multiple", "suffix=")
	if !ok {
		return bad
	}
	suffix, many := "", false
	for _, o := range opts {
		switch o.name {
		case "s", "suffix":
			suffix, many = o.value, true
		default:
			many = true
		}
	}
	if len(rest) == 0 {
		return c.usage("missing operand")
	}
	if !many && len(rest) == 2 {
		suffix, rest = rest[1], rest[:1]
	}
	for _, p := range rest {
		p = lastName(p)
		if p != suffix {
			p = strings.TrimSuffix(p, suffix)
		}
		c.printf("%s\n", p)
	}
	return 0
}

// lastName is the last part of a path.
func lastName(p string) string {
	trimmed := strings.TrimRight(p, "/")
	if trimmed == "" && p != "" {
		return "/"
	}
	return trimmed[strings.LastIndexByte(trimmed, '/')+1:]
}

func dirnameProgram(_ context.Context, c *call) int {
	_, rest, bad, ok := c.options("z")
	if !ok {
		return bad
	}
	if len(rest) == 0 {
		return c.usage("missing operand")
	}
	for _, p := range rest {
		c.printf("%s\n", dirName(p))
	}
	return 0
}

// dirName is a path without its last part.
func dirName(p string) string {
	trimmed := strings.TrimRight(p, "/")
	i := strings.LastIndexByte(trimmed, '/')
	switch {
	case trimmed == "" && p != "":
		return "/"
	case i < 0:
		return "."
	}
	if dir := strings.TrimRight(trimmed[:i], "/"); dir != "" {
		return dir
	}
	return "/"
}

func cmpProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("s", "quiet", "silent")
	if !ok {
		return bad
	}
	if len(rest) == 1 {
		rest = append(rest, "-")
	}
	if len(rest) != 2 {
		return c.fail(2, "missing operand")
	}
	var data [2][]byte
	for i, p := range rest {
		r, err := c.open(p)
		if err == nil {
			data[i], err = io.ReadAll(r)
			r.Close()
		}
		if err != nil {
			return c.fail(2, "%s: %s", p, reason(err))
		}
	}
	if bytes.Equal(data[0], data[1]) {
		return 0
	}
	if len(opts) > 0 {
		return 1
	}
	for i := range min(len(data[0]), len(data[1])) {
		if data[0][i] != data[1][i] {
			c.printf("%s %s differ: char %d, line %d\n", rest[0], rest[1], i+1, bytes.Count(data[0][:i], []byte("\n"))+1)
			return 1
		}
	}
	shorter := 0
	if len(data[1]) < len(data[0]) {
		shorter = 1
	}
	fmt.Fprintf(c.stderr, "cmp: EOF on %s after byte %d\n", rest[shorter], len(data[shorter]))
	return 1
}

func nlProgram(_ context.Context, c *call) int {
	n := 0
	return c.each(c.args[1:], func(_ string, r io.Reader) error {
		return eachLine(r, func(s []byte, ended bool) error {
			if len(s) == 0 {
				return c.line([]byte("       "), ended)
			}
			n++
			c.printf("%6d\t", n)
			return c.line(s, ended)
		})
	})
}

func odProgram(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("A:t:c", "address-radix=", "format=")
	if !ok {
		return bad
	}
	for _, o := range opts {
		if o.name == "t" && o.value != "x1" || o.name == "c" || o.name == "A" && o.value != "n" {
			return c.notSimulated("this format")
		}
	}
	return c.each(files, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(data, 16) {
			for _, b := range part {
				c.printf(" %02x", b)
			}
			c.printf("\n")
		}
		return nil
	})
}
