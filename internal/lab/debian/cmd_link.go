package debian

import (
	"context"
	"crypto/rand"
	"math/big"
	"os"
	"path"
	"slices"
	"strings"
)

func lnProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("sfnTvrt:", "symbolic", "force", "no-dereference", "no-target-directory", "relative", "target-directory=")
	if !ok {
		return bad
	}
	var soft, force, plain, relative bool
	into := ""
	for _, o := range opts {
		switch o.name {
		case "s", "symbolic":
			soft = true
		case "f", "force":
			force = true
		case "n", "T", "no-dereference", "no-target-directory":
			plain = true
		case "r", "relative":
			relative = true
		case "t", "target-directory":
			into = o.value
		}
	}
	if len(rest) == 0 {
		return c.usage("missing file operand")
	}
	last := "."
	if into != "" {
		last = into
	} else if len(rest) > 1 {
		last, rest = rest[len(rest)-1], rest[:len(rest)-1]
	}
	code := 0
	for _, target := range rest {
		at := last
		if st, err := c.fs.Stat(last); err == nil && st.IsDir() {
			if l, _ := c.fs.Lstat(last); !plain || l.Kind == Folder && into != "" {
				at = strings.TrimRight(last, "/") + "/" + lastName(target)
			}
		}
		to := target
		if relative && soft {
			to = relativePath(path.Dir(c.fs.Abs(at)), c.fs.Abs(target))
		}
		if err := c.link(to, at, soft, force); err != nil {
			switch {
			case soft:
				c.warnf("failed to create symbolic link %s: %s", quoted(at), reason(err))
			case !c.fs.Exists(target):
				c.warnf("failed to access %s: %s", quoted(target), reason(err))
			default:
				c.warnf("failed to create hard link %s: %s", quoted(at), reason(err))
			}
			code = 1
		}
	}
	return code
}

// relativePath leads from a folder to a path, both absolute.
func relativePath(from, to string) string {
	a, b := splitPath(from), splitPath(to)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	return path.Join(slices.Concat(slices.Repeat([]string{".."}, len(a)), b)...)
}

func (c *call) link(target, at string, soft, force bool) error {
	make := c.fs.Hardlink
	if soft {
		make = c.fs.Symlink
	}
	err := make(target, at)
	if !force || !Is(err, EEXIST) {
		return err
	}
	if st, err := c.fs.Lstat(at); err == nil && st.IsDir() {
		return EEXIST
	}
	temp := path.Dir(c.fs.Abs(at)) + "/" + randomName("Cu", 6)
	if err := make(target, temp); err != nil {
		return err
	}
	return c.fs.Rename(temp, at)
}

func linkProgram(_ context.Context, c *call) int {
	if len(c.args) != 3 {
		return c.usage("missing operand")
	}
	if err := c.fs.Hardlink(c.args[1], c.args[2]); err != nil {
		return c.fail(1, "cannot create link %s to %s: %s", quoted(c.args[2]), quoted(c.args[1]), reason(err))
	}
	return 0
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func randomName(prefix string, n int) string {
	b := []byte(prefix)
	for range n {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(nameLetters))))
		if err != nil {
			panic(err) // the computer has no randomness
		}
		b = append(b, nameLetters[i.Int64()])
	}
	return string(b)
}

func mktempProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("duqp:t", "directory", "dry-run", "quiet", "tmpdir=?", "suffix=")
	if !ok {
		return bad
	}
	folder, dry, suffix := false, false, ""
	dir, inDir := "", len(rest) == 0
	for _, o := range opts {
		switch o.name {
		case "d", "directory":
			folder = true
		case "u", "dry-run":
			dry = true
		case "p", "tmpdir":
			dir, inDir = o.value, true
		case "t":
			inDir = true
		case "suffix":
			suffix = o.value
		}
	}
	template := "tmp.XXXXXXXXXX"
	if len(rest) > 0 {
		template = rest[0]
	}
	if len(rest) > 1 {
		return c.fail(1, "too many templates")
	}
	if i := strings.LastIndex(template, "X"); i >= 0 && suffix == "" {
		template, suffix = template[:i+1], template[i+1:]
	}
	stem := strings.TrimRight(template, "X")
	if len(template)-len(stem) < 3 {
		return c.fail(1, "too few X's in template %s", quoted(template+suffix))
	}
	if inDir {
		if dir == "" {
			if dir = c.getenv("TMPDIR"); dir == "" {
				dir = "/tmp"
			}
		}
		stem = strings.TrimRight(dir, "/") + "/" + stem
	}
	name := randomName(stem, len(template)-len(strings.TrimRight(template, "X"))) + suffix
	var err error
	kind := "file"
	switch {
	case dry:
	case folder:
		kind = "directory"
		err = c.fs.Mkdir(name, 0o700)
	default:
		var h *Handle
		if h, err = c.fs.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			err = h.Close()
		}
	}
	if err != nil {
		return c.fail(1, "failed to create %s via template %s: %s", kind, quoted(stem+strings.Repeat("X", len(template)-len(strings.TrimRight(template, "X")))+suffix), reason(err))
	}
	c.printf("%s\n", name)
	return 0
}

func readlinkProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("femnzqsv", "canonicalize", "canonicalize-existing", "canonicalize-missing", "no-newline", "zero", "no-symlinks")
	if !ok {
		return bad
	}
	how, end := byte(0), "\n"
	if c.name() == "realpath" {
		how = 'f'
	}
	for _, o := range opts {
		switch o.name {
		case "f", "canonicalize":
			how = 'f'
		case "e", "canonicalize-existing":
			how = 'e'
		case "m", "canonicalize-missing":
			how = 'm'
		case "s", "no-symlinks":
			how = 's'
		case "n", "no-newline":
			end = ""
		case "z", "zero":
			end = "\x00"
		}
	}
	if len(rest) == 0 {
		return c.usage("missing operand")
	}
	code := 0
	for _, p := range rest {
		out, err := c.canonical(p, how)
		if err != nil {
			if c.name() == "realpath" {
				c.warnf("%s: %s", p, reason(err))
			}
			code = 1
			continue
		}
		c.printf("%s%s", out, end)
	}
	return code
}

func (c *call) canonical(p string, how byte) (string, error) {
	switch how {
	case 0:
		return c.fs.Readlink(p)
	case 's':
		return c.fs.Abs(p), nil
	}
	real, err := c.fs.RealPath(p)
	if err == nil || how == 'e' || !Is(err, ENOENT) {
		return real, err
	}
	abs := c.fs.Abs(p)
	if st, e := c.fs.Lstat(abs); e == nil && st.Kind == Link { // it leads nowhere
		target := st.Link
		if !strings.HasPrefix(target, "/") {
			target = path.Dir(abs) + "/" + target
		}
		return c.canonical(target, how)
	}
	dir, err := c.fs.RealPath(path.Dir(abs))
	if err != nil {
		if how == 'm' {
			return abs, nil
		}
		return "", err
	}
	return path.Join(dir, path.Base(abs)), nil
}
