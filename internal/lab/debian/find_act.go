package debian

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

func (f *finding) remove(at found) bool {
	remove := f.c.fs.Unlink
	if at.st.IsDir() {
		remove = f.c.fs.Rmdir
	}
	if err := remove(at.path); err != nil {
		f.c.warnf("cannot delete %s: %s", findQuoted(at.path), reason(err))
		f.code = 1
		return false
	}
	return true
}

func (p *findParser) exec(name string) (condition, error) {
	if name != "-exec" {
		p.f.c.notSimulated(name)
		return nil, errSaid
	}
	p.f.acts = true
	var args []string
	for len(p.args) > 0 {
		a := p.next()
		if a == ";" {
			return func(f *finding, at found) bool {
				with := slices.Clone(args)
				for i := range with {
					with[i] = strings.ReplaceAll(with[i], "{}", at.path)
				}
				return f.c.spawn(f.ctx, with, nil) == 0
			}, nil
		}
		if a == "+" && len(args) > 0 && args[len(args)-1] == "{}" {
			b := &batch{args: args[:len(args)-1]}
			p.f.batches = append(p.f.batches, b)
			return func(_ *finding, at found) bool { b.paths = append(b.paths, at.path); return true }, nil
		}
		args = append(args, a)
	}
	return nil, errors.New("missing argument to `-exec'")
}

func (p *findParser) printf(format string) (condition, error) {
	p.f.acts = true
	format, _ = unescape(format, false)
	n := p.f.c.sys.names()
	for i := 0; i+1 < len(format); i++ {
		if format[i] == '%' {
			i++
			if strings.IndexByte("%pfhPsmMuUgGylTdi", format[i]) < 0 {
				p.f.c.notSimulated("-printf %" + format[i:i+1])
				return nil, errSaid
			}
		}
	}
	return func(f *finding, at found) bool {
		var b strings.Builder
		for i := 0; i < len(format); i++ {
			if format[i] != '%' || i+1 == len(format) {
				b.WriteByte(format[i])
				continue
			}
			i++
			if format[i] == 'T' && i+1 < len(format) {
				i++
				s, _ := strftime("%"+format[i:i+1], at.st.MTime.In(f.c.zone()))
				if format[i] == '@' {
					s = fmt.Sprintf("%d.%010d", at.st.MTime.Unix(), at.st.MTime.Nanosecond()*10)
				}
				b.WriteString(s)
				continue
			}
			b.WriteString(findField(format[i], at, n))
		}
		f.c.printf("%s", b.String())
		return true
	}, nil
}

func findField(verb byte, at found, n names) string {
	st := at.st
	switch verb {
	case 'p':
		return at.path
	case 'f':
		return st.Name
	case 'h':
		return path.Dir(at.path)
	case 'P':
		parts := strings.Split(at.path, "/")
		return strings.Join(parts[max(0, len(parts)-at.deep):], "/")
	case 's':
		return strconv.FormatInt(st.Size, 10)
	case 'm':
		return strconv.FormatUint(uint64(st.Mode), 8)
	case 'M':
		return modeText(st)
	case 'u':
		return n.user(st.UID)
	case 'g':
		return n.group(st.GID)
	case 'U':
		return strconv.Itoa(int(st.UID))
	case 'G':
		return strconv.Itoa(int(st.GID))
	case 'y':
		return string(st.Kind)
	case 'l':
		return st.Link
	case 'd':
		return strconv.Itoa(at.deep)
	case 'i':
		return strconv.FormatUint(st.Ino, 10)
	}
	return "%"
}
