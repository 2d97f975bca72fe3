package debian

import (
	"context"
	"io"
	"strings"
)

func uniqProgram(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("cduif:s:w:z", "count", "repeated", "unique", "ignore-case")
	if !ok {
		return bad
	}
	var count, repeated, unique, fold bool
	for _, o := range opts {
		switch o.name {
		case "c", "count":
			count = true
		case "d", "repeated":
			repeated = true
		case "u", "unique":
			unique = true
		case "i", "ignore-case":
			fold = true
		default:
			return c.notSimulated("option -" + o.name)
		}
	}
	var last string
	n := 0
	show := func() {
		if n == 0 || repeated && n == 1 || unique && n > 1 {
			return
		}
		if count {
			c.printf("%7d ", n)
		}
		c.printf("%s\n", last)
	}
	code := c.each(files[:min(1, len(files))], func(_ string, r io.Reader) error {
		return eachLine(r, func(line []byte, _ bool) error {
			s := string(line)
			if n > 0 && (s == last || fold && strings.EqualFold(s, last)) {
				n++
				return nil
			}
			show()
			last, n = s, 1
			return nil
		})
	})
	show()
	return code
}

func pasteProgram(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("sd:", "serial", "delimiters=")
	if !ok {
		return bad
	}
	serial, delimiter := false, "\t"
	for _, o := range opts {
		switch o.name {
		case "s", "serial":
			serial = true
		default:
			delimiter, _ = unescape(o.value, false)
		}
	}
	var columns [][]string
	code := c.each(files, func(_ string, r io.Reader) error {
		var lines []string
		err := eachLine(r, func(line []byte, _ bool) error { lines = append(lines, string(line)); return nil })
		columns = append(columns, lines)
		return err
	})
	join := func(parts []string) string {
		var b strings.Builder
		for i, p := range parts {
			if i > 0 && delimiter != "" {
				b.WriteByte(delimiter[(i-1)%len(delimiter)])
			}
			b.WriteString(p)
		}
		return b.String()
	}
	if serial {
		for _, lines := range columns {
			c.printf("%s\n", join(lines))
		}
		return code
	}
	for row := 0; ; row++ {
		var parts []string
		any := false
		for _, lines := range columns {
			if row < len(lines) {
				parts, any = append(parts, lines[row]), true
			} else {
				parts = append(parts, "")
			}
		}
		if !any {
			return code
		}
		c.printf("%s\n", join(parts))
	}
}

func commProgram(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("123")
	if !ok {
		return bad
	}
	if len(files) != 2 {
		return c.usage("missing operand")
	}
	hide := map[int]bool{}
	for _, o := range opts {
		hide[int(o.name[0]-'0')] = true
	}
	var lists [][]string
	if code := c.each(files, func(_ string, r io.Reader) error {
		var lines []string
		err := eachLine(r, func(line []byte, _ bool) error { lines = append(lines, string(line)); return nil })
		lists = append(lists, lines)
		return err
	}); code != 0 {
		return code
	}
	show := func(column int, s string) {
		if hide[column] {
			return
		}
		tabs := 0
		for i := 1; i < column; i++ {
			if !hide[i] {
				tabs++
			}
		}
		c.printf("%s%s\n", strings.Repeat("\t", tabs), s)
	}
	a, b := lists[0], lists[1]
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			show(1, a[0])
			a = a[1:]
		case len(a) == 0 || a[0] > b[0]:
			show(2, b[0])
			b = b[1:]
		default:
			show(3, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return 0
}
