package ui

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// isPlain reports whether the text is printable ASCII, which most is: then it
// needs no escaping, and its width is its length.
func isPlain[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// textWidth returns the columns that text without control characters takes:
// wide characters count two, combining ones none.
func textWidth(s string) int {
	if isPlain(s) {
		return len(s)
	}
	return uniseg.StringWidth(s)
}

// appendClean appends text in one line, all that is not printable spelled out: newlines, terminal escapes, marks that turn the reading direction,
// bytes that are not UTF-8.
func appendClean(b []byte, s string) []byte {
	if isPlain(s) {
		return append(b, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, `\x`...)
			b = append(b, "0123456789abcdef"[s[0]>>4], "0123456789abcdef"[s[0]&15])
		case strconv.IsPrint(r):
			b = append(b, s[:n]...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < 0x10000:
			b = append(b, `\u`...)
			for shift := 12; shift >= 0; shift -= 4 {
				b = append(b, "0123456789abcdef"[r>>shift&15])
			}
		default:
			b = append(append(b, `\U`...), strconv.FormatInt(int64(r)|1<<32, 16)[1:]...)
		}
		s = s[n:]
	}
	return b
}

func clean(s string) string {
	if isPlain(s) {
		return s
	}
	return string(appendClean(nil, s))
}

// cleanLines splits text such as log lines, each cleaned. Colours and cursor
// movements in them are dropped, not escaped: programs log them all the time,
// and they say nothing.
func cleanLines(s string) []string {
	lines := strings.Split(strings.TrimRight(stripEscapes(s), "\n"), "\n")
	for i, l := range lines {
		l = strings.TrimSuffix(l, "\r")
		lines[i] = clean(strings.ReplaceAll(l, "\t", "    "))
	}
	return lines
}

// stripEscapes drops escape sequences of the form ESC [ ... letter.
func stripEscapes(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+2:]
		n := 0
		for n < len(s) && (s[n] < '@' || s[n] > '~') && s[n] >= ' ' {
			n++
		}
		s = s[min(n+1, len(s)):]
	}
}

const ellipsis = "..."

// cut shortens clean text to a number of columns by leaving out its middle:
// what tells two values apart is at their ends more often than between them.
func cut(s string, columns int) string {
	if len(s) <= columns || textWidth(s) <= columns {
		return s
	}
	room := columns - len(ellipsis)
	if room < 2 {
		return head(s, max(columns, 0))
	}
	front := head(s, (room+1)/2)
	return front + ellipsis + tail(s, room-textWidth(front))
}

// cutPair shortens two texts to a number of columns each. Where their
// difference is in the part that would be left out, they are shown from there.
func cutPair(a, b string, columns int) (string, string) {
	x, y := cut(a, columns), cut(b, columns)
	if x != y || a == b {
		return x, y
	}
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	for same > 0 && (!utf8.RuneStart(a[same-1]) || a[same-1] >= utf8.RuneSelf) {
		same--
	}
	from := max(0, same-columns/4)
	for from > 0 && !utf8.RuneStart(a[from]) {
		from--
	}
	show := func(s string) string {
		s = ellipsis + s[from:]
		if textWidth(s) > columns {
			return head(s, columns-len(ellipsis)) + ellipsis
		}
		return s
	}
	return show(a), show(b)
}

// head returns as much of the beginning as fits.
func head(s string, columns int) string {
	if isPlain(s) {
		return s[:min(len(s), columns)]
	}
	used, end := 0, 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used += g.Width(); used > columns {
			break
		}
		_, end = g.Positions()
	}
	return s[:end]
}

// tail returns as much of the end as fits.
func tail(s string, columns int) string {
	if isPlain(s) {
		return s[len(s)-min(len(s), columns):]
	}
	left := textWidth(s) - columns
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if from, _ := g.Positions(); left <= 0 {
			return s[from:]
		}
		left -= g.Width()
	}
	return ""
}

const blanks = "                                                                                "

func appendSpaces(b []byte, n int) []byte {
	for n > len(blanks) {
		b, n = append(b, blanks...), n-len(blanks)
	}
	if n > 0 {
		b = append(b, blanks[:n]...)
	}
	return b
}

// appendPadded appends text and fills it up to a number of columns.
func appendPadded(b []byte, s string, columns int) []byte {
	return appendSpaces(append(b, s...), columns-textWidth(s))
}

// fold breaks text at its spaces into lines of at most so many columns; a
// word that is longer stays whole. 0 columns: one line.
func fold(s string, columns int) []string {
	if columns <= 0 || textWidth(s) <= columns {
		return []string{s}
	}
	var lines []string
	line, used, blank := "", 0, true
	for i, word := range strings.Split(s, " ") {
		n := textWidth(word)
		switch {
		case i == 0:
			line, used = word, n
		case blank || used+1+n <= columns:
			line, used = line+" "+word, used+1+n // blanks alone are no line
		default:
			lines = append(lines, line)
			line, used = word, n
		}
		blank = blank && word == "" || line == ""
	}
	return append(lines, line)
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
