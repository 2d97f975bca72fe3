package debian

import (
	"strconv"
	"strings"
)

// debianOrder orders two versions as Debian's policy has it: epoch, upstream
// version, revision; letters before other signs, and a tilde before everything, even
// the end.
func debianOrder(a, b string) int {
	ea, ua, ra := splitVersion(a)
	eb, ub, rb := splitVersion(b)
	if ea != eb {
		return sign(ea - eb)
	}
	if n := compareParts(ua, ub); n != 0 {
		return n
	}
	return compareParts(ra, rb)
}

func splitVersion(v string) (epoch int, upstream, revision string) {
	if e, rest, ok := strings.Cut(v, ":"); ok {
		epoch, _ = strconv.Atoi(e)
		v = rest
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// compareParts compares what is not a digit and what is in turns.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			if n := versionOrder(a) - versionOrder(b); n != 0 {
				return sign(n)
			}
			a, b = rest(a), rest(b)
		}
		var na, nb string
		na, a = digits(a)
		nb, b = digits(b)
		if len(na) != len(nb) {
			return sign(len(na) - len(nb))
		}
		if na != nb {
			return strings.Compare(na, nb)
		}
	}
	return 0
}

func versionOrder(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case 'a' <= s[0]|0x20 && s[0]|0x20 <= 'z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func rest(s string) string {
	if s == "" {
		return s
	}
	return s[1:]
}

// digits cuts off a number, without its leading zeros.
func digits(s string) (number, after string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return strings.TrimLeft(s[:i], "0"), s[i:]
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// compares reports whether two versions are as an operator says: lt, le, eq, ne, ge,
// gt and their signs. It is not ok where there is no such operator.
func compares(a, op, b string) (is, ok bool) {
	n := debianOrder(a, b)
	switch op {
	case "lt", "<<":
		return n < 0, true
	case "le", "<=", "<":
		return n <= 0, true
	case "eq", "=":
		return n == 0, true
	case "ne":
		return n != 0, true
	case "ge", ">=", ">":
		return n >= 0, true
	case "gt", ">>":
		return n > 0, true
	}
	return false, false
}
