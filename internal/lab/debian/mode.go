package debian

import (
	"fmt"
	"strconv"
	"strings"
)

// parseMode reads a mode of chmod(1): in octal, or as changes of the one that is.
func parseMode(s string, is, umask uint32, folder bool) (uint32, error) {
	if s == "" {
		return 0, fmt.Errorf("invalid mode: '%s'", s)
	}
	if s[0] >= '0' && s[0] <= '9' {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o7777 {
			return 0, fmt.Errorf("invalid mode: '%s'", s)
		}
		if folder && len(s) < 5 && n < 0o1000 { // short ones leave these bits of a folder
			n |= uint64(is & 0o6000)
		}
		return uint32(n), nil
	}
	for _, clause := range strings.Split(s, ",") {
		var err error
		if is, err = applyMode(clause, is, umask, folder); err != nil {
			return 0, fmt.Errorf("invalid mode: '%s'", s)
		}
	}
	return is, nil
}

func applyMode(clause string, is, umask uint32, folder bool) (uint32, error) {
	i := strings.IndexAny(clause, "+-=")
	if i < 0 {
		return 0, EINVAL
	}
	who, keep := uint32(0), umask
	for _, w := range clause[:i] {
		switch w {
		case 'u':
			who |= 0o4700
		case 'g':
			who |= 0o2070
		case 'o':
			who |= 0o1007
		case 'a':
			who |= 0o7777
		default:
			return 0, EINVAL
		}
		keep = 0
	}
	if who == 0 {
		who = 0o7777
	}
	for rest := clause[i:]; rest != ""; {
		op := rest[0]
		if strings.IndexByte("+-=", op) < 0 {
			return 0, EINVAL
		}
		rest = rest[1:]
		end := strings.IndexAny(rest, "+-=")
		if end < 0 {
			end = len(rest)
		}
		bits, err := permBits(rest[:end], is, folder)
		if err != nil {
			return 0, err
		}
		bits &= who &^ keep
		switch op {
		case '+':
			is |= bits
		case '-':
			is &^= bits
		case '=':
			clear := who
			if folder {
				clear &^= 0o6000
			}
			is = is&^clear | bits
		}
		rest = rest[end:]
	}
	return is, nil
}

func permBits(s string, is uint32, folder bool) (uint32, error) {
	bits := uint32(0)
	for _, l := range s {
		switch l {
		case 'r':
			bits |= 0o444
		case 'w':
			bits |= 0o222
		case 'x':
			bits |= 0o111
		case 'X':
			if folder || is&0o111 != 0 {
				bits |= 0o111
			}
		case 's':
			bits |= 0o6000
		case 't':
			bits |= 0o1000
		case 'u':
			bits |= (is >> 6 & 7) * 0o111
		case 'g':
			bits |= (is >> 3 & 7) * 0o111
		case 'o':
			bits |= (is & 7) * 0o111
		default:
			return 0, EINVAL
		}
	}
	return bits, nil
}
