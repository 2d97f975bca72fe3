package debian

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// sorting is how sort compares.
type sorting struct {
	separator string
	keys      []sortKey
	reverse   bool
	unique    bool
	end       byte
	output    string
	check     bool
	shuffle   bool
}

type sortKey struct {
	from, fromChar, to, toChar              int
	numeric, human, version, reverse, blank bool
	fold, dictionary                        bool
}

func sortProgram(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("nrufbdhVk:t:o:szcCR", "numeric-sort", "reverse", "unique", "key=", "field-separator=", "output=", "stable", "human-numeric-sort", "version-sort", "zero-terminated", "ignore-case", "random-sort")
	if !ok {
		return bad
	}
	s := &sorting{}
	var all sortKey
	var keys []string
	output, end, check, shuffle := "", byte('\n'), false, false
	for _, o := range opts {
		switch o.name {
		case "r", "reverse":
			s.reverse, all.reverse = true, true
		case "u", "unique":
			s.unique = true
		case "k", "key":
			keys = append(keys, o.value)
		case "t", "field-separator":
			if s.separator = o.value; s.separator == `\0` {
				s.separator = "\x00"
			}
		case "o", "output":
			output = o.value
		case "z", "zero-terminated":
			end = 0
		case "c", "C":
			check = true
		case "R", "random-sort":
			shuffle = true
		case "s", "stable":
		default:
			letter := o.name[0] // of the short option, and of most long ones
			switch o.name {
			case "version-sort":
				letter = 'V'
			case "ignore-case":
				letter = 'f'
			}
			all.letter(letter)
		}
	}
	for _, k := range keys {
		key, err := parseKey(k, all)
		if err != nil {
			return c.fail(2, "invalid key: %s", quoted(k))
		}
		s.keys = append(s.keys, key)
	}
	if len(s.keys) == 0 {
		all.from = 1
		s.keys = []sortKey{all}
	}
	s.end, s.output, s.check, s.shuffle = end, output, check, shuffle
	return s.run(c, files)
}

func (s *sorting) run(c *call, files []string) int {
	var lines []string
	if code := c.each(files, func(_ string, r io.Reader) error {
		return eachPart(r, s.end, func(line []byte, _ bool) error { lines = append(lines, string(line)); return nil })
	}); code != 0 {
		return 2
	}
	if s.check {
		return b2i(!slices.IsSortedFunc(lines, s.compare))
	}
	slices.SortStableFunc(lines, s.compare)
	if s.shuffle {
		rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	}
	if s.unique {
		lines = slices.CompactFunc(lines, func(a, b string) bool { return s.byKeys(a, b) == 0 })
	}
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line)
		b.WriteByte(s.end)
	}
	if s.output != "" {
		if err := c.fs.WriteFile(s.output, b.Bytes(), 0o666); err != nil {
			return c.fail(2, "open failed: %s: %s", s.output, reason(err))
		}
		return 0
	}
	c.stdout.Write(b.Bytes())
	return 0
}

func (k *sortKey) letter(l byte) bool {
	switch l {
	case 'n':
		k.numeric = true
	case 'h':
		k.human = true
	case 'V':
		k.version = true
	case 'r':
		k.reverse = true
	case 'b':
		k.blank = true
	case 'f':
		k.fold = true
	case 'd':
		k.dictionary = true
	default:
		return false
	}
	return true
}

// parseKey reads 2,3n or 1.2,1.5.
func parseKey(s string, all sortKey) (sortKey, error) {
	var k sortKey
	own := false
	read := func(s string) (field, char int, err error) {
		for s != "" && (s[len(s)-1] < '0' || s[len(s)-1] > '9') {
			if !k.letter(s[len(s)-1]) {
				return 0, 0, EINVAL
			}
			own = true
			s = s[:len(s)-1]
		}
		f, ch, both := strings.Cut(s, ".")
		if field, err = strconv.Atoi(f); err == nil && both {
			char, err = strconv.Atoi(ch)
		}
		return field, char, err
	}
	from, to, both := strings.Cut(s, ",")
	var err error
	if k.from, k.fromChar, err = read(from); err != nil || k.from < 1 {
		return k, EINVAL
	}
	if both {
		if k.to, k.toChar, err = read(to); err != nil {
			return k, err
		}
	}
	if !own {
		k.numeric, k.human, k.version, k.reverse, k.blank, k.fold = all.numeric, all.human, all.version, all.reverse, all.blank, all.fold
	}
	return k, nil
}

func (s *sorting) compare(a, b string) int {
	if n := s.byKeys(a, b); n != 0 || s.unique {
		return n
	}
	n := strings.Compare(a, b)
	if s.reverse {
		n = -n
	}
	return n
}

func (s *sorting) byKeys(a, b string) int {
	for _, k := range s.keys {
		x, y := k.part(a, s.separator), k.part(b, s.separator)
		n := 0
		switch {
		case k.numeric:
			n = cmp.Compare(leadingNumber(x, false), leadingNumber(y, false))
		case k.human:
			n = cmp.Compare(leadingNumber(x, true), leadingNumber(y, true))
		case k.version:
			n = compareVersions(x, y)
		case k.fold:
			n = strings.Compare(strings.ToUpper(x), strings.ToUpper(y))
		default:
			n = strings.Compare(x, y)
		}
		if k.reverse {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// part is what of a line a key compares.
func (k sortKey) part(line, separator string) string {
	if k.from == 1 && k.to == 0 && k.fromChar == 0 {
		return line
	}
	starts, ends := fieldBounds(line, separator)
	if k.from > len(starts) {
		return ""
	}
	from := starts[k.from-1]
	if k.blank {
		for from < len(line) && line[from] == ' ' {
			from++
		}
	}
	from += max(0, k.fromChar-1)
	to := len(line)
	if k.to > 0 && k.to <= len(ends) {
		if to = ends[k.to-1]; k.toChar > 0 {
			to = min(to, starts[k.to-1]+k.toChar)
		}
	}
	if from >= to {
		return ""
	}
	return line[from:to]
}

func fieldBounds(line, separator string) (starts, ends []int) {
	if separator != "" {
		at := 0
		for _, f := range strings.Split(line, separator) {
			starts, ends = append(starts, at), append(ends, at+len(f))
			at += len(f) + len(separator)
		}
		return starts, ends
	}
	for i := 0; i < len(line); {
		starts = append(starts, i)
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		for i < len(line) && line[i] != ' ' && line[i] != '\t' {
			i++
		}
		ends = append(ends, i)
	}
	return starts, ends
}

func leadingNumber(s string, human bool) float64 {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && s[end] == '-') {
		end++
	}
	n, _ := strconv.ParseFloat(s[:end], 64)
	if human && end < len(s) {
		if i := strings.IndexByte("KMGTP", s[end]&^0x20); i >= 0 {
			for range i + 1 {
				n *= 1024
			}
		}
	}
	return n
}

// compareVersions compares texts with the numbers in them as numbers.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := digitsFirst(a), digitsFirst(b)
		if x > 0 && y > 0 {
			m, n := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if c := cmp.Or(cmp.Compare(len(m), len(n)), strings.Compare(m, n)); c != 0 {
				return c
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digitsFirst(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
