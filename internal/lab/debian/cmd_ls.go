package debian

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listing is what ls was asked for.
type listing struct {
	c                            *call
	all, almost, long, dir       bool
	numeric, human, ino, reverse bool
	byTime, bySize, classify     bool
	recursive, slash, noGroup    bool
	n                            names
	code                         int
}

func lsProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("aAld1nhitrSFRpgoCGNkusUvLX", "all", "almost-all", "directory", "human-readable", "inode", "recursive", "reverse", "color=?", "numeric-uid-gid", "time-style=", "full-time", "group-directories-first")
	if !ok {
		return bad
	}
	l := &listing{c: c, n: c.sys.names()}
	for _, o := range opts {
		switch o.name {
		case "a", "all":
			l.all = true
		case "A", "almost-all":
			l.almost = true
		case "l":
			l.long = true
		case "d", "directory":
			l.dir = true
		case "n", "numeric-uid-gid":
			l.long, l.numeric = true, true
		case "h", "human-readable":
			l.human = true
		case "i", "inode":
			l.ino = true
		case "t":
			l.byTime = true
		case "S":
			l.bySize = true
		case "r", "reverse":
			l.reverse = true
		case "F":
			l.classify = true
		case "p":
			l.slash = true
		case "R", "recursive":
			l.recursive = true
		case "g", "o":
			l.long, l.noGroup = true, true
		case "1", "C", "color", "N", "k", "v", "G":
		default:
			return c.notSimulated("option " + o.name)
		}
	}
	if len(rest) == 0 {
		rest = []string{"."}
	}
	return l.run(rest)
}

func (l *listing) run(paths []string) int {
	var files []Stat
	var folders []string
	for _, p := range paths {
		st, err := l.c.fs.Lstat(p)
		if err == nil && st.Kind == Link && !l.long && !l.dir {
			if to, e := l.c.fs.Stat(p); e == nil {
				st = to
			}
		}
		switch {
		case err != nil:
			l.c.warnf("cannot access %s: %s", quoted(p), reason(err))
			l.code = 2
		case st.IsDir() && !l.dir:
			folders = append(folders, p)
		default:
			st.Name = p
			files = append(files, st)
		}
	}
	l.print(files)
	slices.Sort(folders)
	for i, p := range folders {
		if len(paths) > 1 || l.recursive {
			if i > 0 || len(files) > 0 {
				l.c.printf("\n")
			}
			l.c.printf("%s:\n", p)
		}
		l.folder(p)
	}
	return l.code
}

func (l *listing) folder(p string) {
	list, err := l.c.fs.ReadDir(p)
	if err != nil {
		l.c.warnf("cannot open directory %s: %s", quoted(p), reason(err))
		l.code = 2
		return
	}
	list = slices.DeleteFunc(list, func(st Stat) bool { return strings.HasPrefix(st.Name, ".") && !l.all && !l.almost })
	if l.all {
		for _, name := range []string{".", ".."} {
			if st, err := l.c.fs.Stat(p + "/" + name); err == nil {
				st.Name = name
				list = append(list, st)
			}
		}
	}
	if l.long {
		var blocks int64
		for _, st := range list {
			blocks += (st.Size + 4095) / 4096 * 4
		}
		l.c.printf("total %d\n", blocks)
	}
	l.print(list)
	if !l.recursive {
		return
	}
	for _, st := range list {
		if st.IsDir() && st.Name != "." && st.Name != ".." {
			inner := strings.TrimRight(p, "/") + "/" + st.Name
			l.c.printf("\n%s:\n", inner)
			l.folder(inner)
		}
	}
}

func (l *listing) print(list []Stat) {
	slices.SortFunc(list, func(a, b Stat) int {
		n := strings.Compare(a.Name, b.Name)
		if l.byTime {
			if t := b.MTime.Compare(a.MTime); t != 0 {
				n = t
			}
		}
		if l.bySize && a.Size != b.Size {
			n = int(b.Size - a.Size)
		}
		if l.reverse {
			n = -n
		}
		return n
	})
	var rows [][]string
	for _, st := range list {
		rows = append(rows, l.row(st))
	}
	widths := map[int]int{}
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, r := range rows {
		for i, cell := range r {
			switch {
			case i == len(r)-1:
				l.c.printf("%s\n", cell)
			case l.long && (i == 2 || i == 3) && !l.ino && !l.numeric && !(l.noGroup && i == 3):
				l.c.printf("%-*s ", widths[i], cell)
			default:
				l.c.printf("%*s ", widths[i], cell)
			}
		}
	}
}

func (l *listing) row(st Stat) []string {
	var row []string
	if l.ino {
		row = append(row, strconv.FormatUint(st.Ino, 10))
	}
	name := st.Name
	switch {
	case st.IsDir() && (l.classify || l.slash):
		name += "/"
	case l.classify && st.Kind == File && st.Mode&0o111 != 0:
		name += "*"
	case l.classify && st.Kind == Link && !l.long:
		name += "@"
	case l.classify && st.Kind == Socket:
		name += "="
	}
	if !l.long {
		return append(row, name)
	}
	user, group := l.n.user(st.UID), l.n.group(st.GID)
	if l.numeric {
		user, group = strconv.Itoa(int(st.UID)), strconv.Itoa(int(st.GID))
	}
	size := strconv.FormatInt(st.Size, 10)
	if l.human {
		size = humanSize(st.Size)
	}
	if st.Kind == Link {
		name += " -> " + st.Link
	}
	row = append(row, modeText(st), strconv.Itoa(st.Links), user)
	if !l.noGroup {
		row = append(row, group)
	}
	return append(row, size, listTime(st.MTime.In(l.c.zone())), name)
}

// listTime is how ls shows when something was changed.
func listTime(at time.Time) string {
	if age := time.Since(at); age > 182*24*time.Hour || age < -time.Hour {
		return at.Format("Jan _2  2006")
	}
	return at.Format("Jan _2 15:04")
}

// modeText is drwxr-xr-x.
func modeText(st Stat) string {
	kind := map[Kind]string{File: "-", Folder: "d", Link: "l", Socket: "s", Device: "c"}[st.Kind]
	b := []byte(kind)
	for shift := 6; shift >= 0; shift -= 3 {
		for i, l := range []byte("rwx") {
			if st.Mode>>shift&(4>>i) != 0 {
				b = append(b, l)
			} else {
				b = append(b, '-')
			}
		}
	}
	for _, special := range []struct {
		bit  uint32
		at   int
		x, n byte
	}{{0o4000, 3, 's', 'S'}, {0o2000, 6, 's', 'S'}, {0o1000, 9, 't', 'T'}} {
		if st.Mode&special.bit != 0 {
			if b[special.at] == 'x' {
				b[special.at] = special.x
			} else {
				b[special.at] = special.n
			}
		}
	}
	return string(b)
}

// statProgram prints what a format asks for.
func statProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("Lc:ft", "dereference", "format=", "printf=", "file-system", "terse")
	if !ok {
		return bad
	}
	look, format, end := c.fs.Lstat, "", "\n"
	for _, o := range opts {
		switch o.name {
		case "L", "dereference":
			look = c.fs.Stat
		case "c", "format":
			format = o.value
		case "printf":
			format, _ = unescape(o.value, false)
			end = ""
		default:
			return c.notSimulated("option -" + o.name)
		}
	}
	if len(rest) == 0 {
		return c.usage("missing operand")
	}
	if format == "" {
		format = "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: 254,1\tInode: %-11i Links: %h\nAccess: (%04a/%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nModify: %y\nChange: %z"
	}
	n := c.sys.names()
	code := 0
	for _, p := range rest {
		st, err := look(p)
		if err != nil {
			c.warnf("cannot statx %s: %s", quoted(p), reason(err))
			code = 1
			continue
		}
		out, unknown := statFormat(format, p, st, n, c.zone())
		if unknown != "" {
			return c.notSimulated("the format " + unknown)
		}
		c.printf("%s%s", out, end)
	}
	return code
}

func statFormat(format, p string, st Stat, n names, zone *time.Location) (out, unknown string) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		flags := "%"
		for i < len(format)-1 && strings.IndexByte("-0#+ .123456789", format[i]) >= 0 {
			flags += format[i : i+1]
			i++
		}
		s, ok := statField(format[i], flags, p, st, n, zone)
		if !ok {
			return "", "%" + format[i:i+1]
		}
		if s != "" {
			b.WriteString(s)
		}
	}
	return b.String(), ""
}

func statField(verb byte, flags, p string, st Stat, n names, zone *time.Location) (string, bool) {
	text := func(s string) (string, bool) {
		return fmt.Sprintf(strings.ReplaceAll(flags, "0", "")+"s", s), true
	}
	if len(flags) == 1 {
		text = func(s string) (string, bool) { return s, true }
	}
	switch verb {
	case '%':
		return "%", true
	case 'n':
		return text(p)
	case 'N':
		if st.Kind == Link {
			return text(quoted(p) + " -> " + quoted(st.Link))
		}
		return text(p)
	case 'F':
		kind := map[Kind]string{File: "regular file", Folder: "directory", Link: "symbolic link", Socket: "socket", Device: "character special file"}[st.Kind]
		if st.Kind == File && st.Size == 0 {
			kind = "regular empty file"
		}
		return text(kind)
	case 'A':
		return text(modeText(st))
	case 'U':
		return text(n.user(st.UID))
	case 'G':
		return text(n.group(st.GID))
	case 'a':
		return fmt.Sprintf(flags+"o", st.Mode), true
	case 'f':
		kind := map[Kind]uint32{File: 0o100000, Folder: 0o40000, Link: 0o120000, Socket: 0o140000, Device: 0o20000}[st.Kind]
		return fmt.Sprintf(flags+"x", kind|st.Mode), true
	case 'x', 'y', 'z', 'w':
		at := st.MTime
		if verb == 'z' {
			at = st.CTime
		}
		if verb == 'w' {
			return text("-")
		}
		return text(at.In(zone).Format("2006-01-02 15:04:05.000000000 -0700"))
	case 'X', 'Y', 'Z':
		at := st.MTime
		if verb == 'Z' {
			at = st.CTime
		}
		if _, digits, ok := strings.Cut(flags, "."); ok {
			k, err := strconv.Atoi(digits)
			if err != nil || k > 9 {
				k = 9
			}
			return fmt.Sprintf("%d.%s", at.Unix(), fmt.Sprintf("%09d", at.Nanosecond())[:k]), true
		}
		return strconv.FormatInt(at.Unix(), 10), true
	}
	number, ok := map[byte]int64{'u': int64(st.UID), 'g': int64(st.GID), 's': st.Size, 'i': int64(st.Ino), 'h': int64(st.Links), 'b': (st.Size + 511) / 512, 'B': 512, 'o': 4096, 'd': 65025, 't': 0, 'T': 0, 'W': 0}[verb]
	return fmt.Sprintf(flags+"d", number), ok
}
