package debian

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
)

// copying is what cp, mv and install were asked to do.
type copying struct {
	c                *call
	all, keep, links bool
	force, noClobber bool
	update, plain    bool // plain: the last operand is no folder to put things into
	into             string
	moving, verbose  bool
	failed           int
	hard             bool
}

func cpProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("afprRdPLTt:unvilHsx", "archive", "force", "preserve=?", "recursive", "no-dereference", "no-target-directory", "target-directory=", "update", "no-clobber", "verbose", "reflink=?", "link", "remove-destination")
	if !ok {
		return bad
	}
	k := &copying{c: c}
	for _, o := range opts {
		switch o.name {
		case "a", "archive":
			k.all, k.keep, k.links = true, true, true
		case "p", "preserve":
			k.keep = true
		case "r", "R", "recursive":
			k.all, k.links = true, true
		case "d", "P", "no-dereference":
			k.links = true
		case "L":
			k.links = false
		case "f", "force", "remove-destination":
			k.force = true
		case "T", "no-target-directory":
			k.plain = true
		case "t", "target-directory":
			k.into = o.value
		case "n", "no-clobber":
			k.noClobber = true
		case "u", "update":
			k.update = true
		case "v", "verbose":
			k.verbose = true
		case "l", "link":
			k.hard = true
		case "reflink":
		default:
			return c.notSimulated("option -" + o.name)
		}
	}
	return k.operands(rest, k.copy)
}

func mvProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("fnTt:uviZ", "force", "no-clobber", "no-target-directory", "target-directory=", "update", "verbose")
	if !ok {
		return bad
	}
	k := &copying{c: c, moving: true, force: true}
	for _, o := range opts {
		switch o.name {
		case "T", "no-target-directory":
			k.plain = true
		case "t", "target-directory":
			k.into = o.value
		case "n", "no-clobber":
			k.noClobber = true
		case "u", "update":
			k.update = true
		case "v", "verbose":
			k.verbose = true
		case "Z":
			return c.notSimulated("option -Z")
		}
	}
	return k.operands(rest, k.move)
}

// operands finds out where each thing goes.
func (k *copying) operands(rest []string, do func(from, to string)) int {
	c := k.c
	if len(rest) == 0 {
		return c.usage("missing file operand")
	}
	last := k.into
	if last == "" {
		if len(rest) == 1 {
			return c.usage("missing destination file operand after %s", quoted(rest[0]))
		}
		last, rest = rest[len(rest)-1], rest[:len(rest)-1]
	}
	st, err := c.fs.Stat(last)
	folder := err == nil && st.IsDir()
	switch {
	case k.plain && len(rest) > 1:
		return c.usage("extra operand %s", quoted(rest[1]))
	case !folder && (len(rest) > 1 || k.into != ""):
		return c.fail(1, "target %s: %s", quoted(last), map[bool]string{true: "Not a directory", false: "No such file or directory"}[err == nil])
	}
	for _, from := range rest {
		to := last
		if folder && !k.plain {
			to = strings.TrimRight(last, "/") + "/" + lastName(from)
		}
		do(from, to)
	}
	return k.failed
}

func (k *copying) fail(format string, args ...any) {
	k.c.warnf(format, args...)
	k.failed = 1
}

// skips reports whether what is there is to stay.
func (k *copying) skips(from, to Stat, there bool) bool {
	return there && (k.noClobber || k.update && !from.MTime.After(to.MTime))
}

func (k *copying) move(from, to string) {
	c := k.c
	st, err := c.fs.Lstat(from)
	if err != nil {
		k.fail("cannot stat %s: %s", quoted(from), reason(err))
		return
	}
	old, err := c.fs.Lstat(to)
	there := err == nil
	switch {
	case k.skips(st, old, there):
		return
	case there && old.Ino == st.Ino && st.Kind == old.Kind && c.fs.Abs(from) == c.fs.Abs(to):
		k.fail("%s and %s are the same file", quoted(from), quoted(to))
		return
	case there && old.IsDir() && !st.IsDir():
		k.fail("cannot overwrite directory %s with non-directory", quoted(to))
		return
	case there && !old.IsDir() && st.IsDir():
		k.fail("cannot overwrite non-directory %s with directory %s", quoted(to), quoted(from))
		return
	}
	if err := c.fs.Rename(from, to); err != nil {
		switch {
		case Is(err, EINVAL):
			k.fail("cannot move %s to a subdirectory of itself, %s", quoted(from), quoted(to))
		default:
			k.fail("cannot move %s to %s: %s", quoted(from), quoted(to), reason(err))
		}
		return
	}
	if k.verbose {
		c.printf("renamed %s -> %s\n", quoted(from), quoted(to))
	}
}

func (k *copying) copy(from, to string) {
	c := k.c
	look := c.fs.Stat
	if k.links {
		look = c.fs.Lstat
	}
	st, err := look(from)
	if err != nil {
		k.fail("cannot stat %s: %s", quoted(from), reason(err))
		return
	}
	old, err := c.fs.Lstat(to)
	there := err == nil
	if there && old.Kind == Link && !k.force {
		if followed, err := c.fs.Stat(to); err == nil {
			old = followed
		}
	}
	switch {
	case st.IsDir() && !k.all:
		k.fail("-r not specified; omitting directory %s", quoted(from))
		return
	case k.skips(st, old, there) && !st.IsDir():
		return
	case there && old.Ino == st.Ino && old.Kind == st.Kind:
		k.fail("%s and %s are the same file", quoted(from), quoted(to))
		return
	case there && old.IsDir() && !st.IsDir():
		k.fail("cannot overwrite directory %s with non-directory %s", quoted(to), quoted(from))
		return
	case there && !old.IsDir() && st.IsDir():
		k.fail("cannot overwrite non-directory %s with directory %s", quoted(to), quoted(from))
		return
	}
	if k.verbose {
		c.printf("%s -> %s\n", quoted(from), quoted(to))
	}
	switch {
	case st.IsDir():
		k.copyFolder(from, to, st, there)
	case k.hard:
		if err := c.fs.Hardlink(from, to); err != nil {
			k.fail("cannot create hard link %s to %s: %s", quoted(to), quoted(from), reason(err))
		}
	case st.Kind == Link:
		k.copyLink(to, st, there)
	case st.Kind == File || st.Kind == Device:
		k.copyFile(from, to, st, old, there)
	default:
		k.fail("swarmscript lab: not simulated: a copy of the special file %s", quoted(from))
	}
}

func (k *copying) copyFolder(from, to string, st Stat, there bool) {
	c := k.c
	if strings.HasPrefix(c.fs.Abs(to)+"/", c.fs.Abs(from)+"/") {
		k.fail("cannot copy a directory, %s, into itself, %s", quoted(from), quoted(to))
		return
	}
	if !there {
		if err := c.fs.Mkdir(to, st.Mode|0o700); err != nil {
			k.fail("cannot create directory %s: %s", quoted(to), reason(err))
			return
		}
	}
	list, err := c.fs.ReadDir(from)
	if err != nil {
		k.fail("cannot access %s: %s", quoted(from), reason(err))
		return
	}
	for _, e := range list {
		k.copy(strings.TrimRight(from, "/")+"/"+e.Name, strings.TrimRight(to, "/")+"/"+e.Name)
	}
	mode := st.Mode
	if !k.keep {
		if there {
			return
		}
		mode &^= c.fs.Umask
	}
	if err := c.fs.Chmod(to, mode); err != nil {
		k.fail("setting permissions for %s: %s", quoted(to), reason(err))
	}
	k.preserve(to, st)
}

func (k *copying) copyLink(to string, st Stat, there bool) {
	c := k.c
	if there {
		if err := c.fs.Unlink(to); err != nil {
			k.fail("cannot remove %s: %s", quoted(to), reason(err))
			return
		}
	}
	if err := c.fs.Symlink(st.Link, to); err != nil {
		k.fail("cannot create symbolic link %s: %s", quoted(to), reason(err))
		return
	}
	k.preserve(to, st)
}

func (k *copying) copyFile(from, to string, st, old Stat, there bool) {
	c := k.c
	data, err := c.fs.ReadFile(from)
	if st.Kind == Device {
		data, err = nil, nil // /dev/null: what others hold has no end
	}
	if err != nil {
		k.fail("cannot open %s for reading: %s", quoted(from), reason(err))
		return
	}
	if there && k.links && old.Kind == Link && !k.force {
		if _, err := c.fs.Stat(to); err != nil {
			k.fail("not writing through dangling symlink %s", quoted(to))
			return
		}
	}
	if there && k.links && old.Kind == Link && k.force {
		c.fs.Unlink(to)
		there = false
	}
	h, err := c.fs.Open(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, st.Mode&0o777)
	if err != nil && there && k.force {
		if c.fs.Unlink(to) == nil {
			h, err = c.fs.Open(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, st.Mode&0o777)
		}
	}
	if err != nil {
		k.fail("cannot create regular file %s: %s", quoted(to), reason(err))
		return
	}
	_, err = h.Write(data)
	if err = errors.Join(err, h.Close()); err != nil {
		k.fail("error writing %s: %s", quoted(to), reason(err))
		return
	}
	k.preserve(to, st)
}

// preserve gives a copy the owner, the mode and the time of what it was made from.
func (k *copying) preserve(to string, st Stat) {
	if !k.keep {
		return
	}
	c := k.c
	if err := c.fs.Chown(to, int(st.UID), int(st.GID), false); err != nil {
		c.fs.Chown(to, -1, int(st.GID), false) // only root gives files away, and that is no error
	}
	if st.Kind != Link {
		if err := c.fs.Chmod(to, st.Mode); err != nil {
			k.fail("preserving permissions for %s: %s", quoted(to), reason(err))
		}
	}
	if err := c.fs.Chtimes(to, st.MTime, false); err != nil {
		k.fail("preserving times for %s: %s", quoted(to), reason(err))
	}
}

// installProgram is install(1): copies with a mode and an owner, and folders.
func installProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("dm:o:g:DTt:vCpb", "directory", "mode=", "owner=", "group=", "no-target-directory", "target-directory=", "verbose", "compare", "preserve-timestamps")
	if !ok {
		return bad
	}
	k := &copying{c: c, force: true}
	in := &installing{copying: k, mode: "0755", uid: -1, gid: -1}
	folder := false
	for _, o := range opts {
		var err error
		switch o.name {
		case "d", "directory":
			folder = true
		case "m", "mode":
			in.mode = o.value
		case "o", "owner":
			in.uid, _, err = c.owner(o.value, false)
		case "g", "group":
			_, in.gid, err = c.owner(o.value, true)
		case "D":
			in.parents = true
		case "T", "no-target-directory":
			k.plain = true
		case "t", "target-directory":
			k.into = o.value
		case "p", "preserve-timestamps":
			in.times = true
		case "b":
			return c.notSimulated("option -b")
		}
		if err != nil {
			return c.fail(1, "%v", err)
		}
	}
	if folder {
		for _, p := range rest {
			in.folder(p)
		}
		return k.failed
	}
	return k.operands(rest, in.file)
}

type installing struct {
	*copying
	mode     string
	uid, gid int
	parents  bool
	times    bool
}

func (in *installing) folder(p string) {
	if err := in.c.fs.MkdirAll(p, 0o755); err != nil {
		in.fail("cannot create directory %s: %s", quoted(p), reason(err))
		return
	}
	in.finish(p, true)
}

func (in *installing) file(from, to string) {
	c := in.c
	if in.parents {
		if err := c.fs.MkdirAll(dirName(to), 0o755); err != nil {
			in.fail("cannot create directory %s: %s", quoted(dirName(to)), reason(err))
			return
		}
	}
	st, err := c.fs.Stat(from)
	if err != nil {
		in.fail("cannot stat %s: %s", quoted(from), reason(err))
		return
	}
	if st.IsDir() {
		in.fail("omitting directory %s", quoted(from))
		return
	}
	if c.fs.Exists(to) {
		if err := c.fs.Unlink(to); err != nil {
			in.fail("cannot remove %s: %s", quoted(to), reason(err))
			return
		}
	}
	failed := in.failed
	in.failed = 0
	in.copyFile(from, to, Stat{Kind: st.Kind, Mode: 0o600}, Stat{}, false)
	if in.failed == 0 {
		in.finish(to, false)
		if in.times {
			c.fs.Chtimes(to, st.MTime, false)
		} else {
			c.fs.Chtimes(to, time.Now(), false)
		}
	}
	in.failed = max(failed, in.failed)
}

// finish sets the owner and the mode.
func (in *installing) finish(p string, folder bool) {
	c := in.c
	if in.uid != -1 || in.gid != -1 {
		if err := c.fs.Chown(p, in.uid, in.gid, true); err != nil {
			in.fail("cannot change ownership of %s: %s", quoted(p), reason(err))
			return
		}
	}
	bits, err := parseMode(in.mode, 0, 0, folder)
	if err != nil {
		in.fail("%v", err)
		return
	}
	if err := c.fs.Chmod(p, bits); err != nil {
		in.fail("cannot change permissions of %s: %s", quoted(p), reason(err))
	}
}
