package debian

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"
)

// filePrograms are those that work on the file system.
func filePrograms() map[string]program {
	return in("/usr/bin", map[string]command{
		"ls": lsProgram, "dir": lsProgram, "stat": statProgram, "find": findProgram, "mktemp": mktempProgram, "mv": mvProgram, "cp": cpProgram, "rm": rmProgram,
		"ln": lnProgram, "mkdir": mkdirProgram, "rmdir": rmdirProgram, "touch": touchProgram, "chmod": chmodProgram, "chown": chownProgram,
		"chgrp": chownProgram, "install": installProgram, "readlink": readlinkProgram, "realpath": readlinkProgram, "sync": syncProgram,
		"dd": ddProgram, "truncate": truncateProgram, "unlink": unlinkProgram, "du": duProgram, "file": fileProgram, "link": linkProgram,
	})
}

// quoted is a name as coreutils prints it in messages.
func quoted(p string) string { return "'" + p + "'" }

func mkdirProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("pm:v", "parents", "mode=", "verbose")
	if !ok {
		return bad
	}
	parents, mode := false, ""
	for _, o := range opts {
		switch o.name {
		case "p", "parents":
			parents = true
		case "m", "mode":
			mode = o.value
		}
	}
	if len(rest) == 0 {
		return c.usage("missing operand")
	}
	code := 0
	for _, p := range rest {
		make := c.fs.Mkdir
		if st, err := c.fs.Stat(p); parents && err == nil && st.IsDir() {
			continue
		}
		if parents {
			make = c.fs.MkdirAll
		}
		err := make(p, 0o777)
		if err == nil && mode != "" {
			var bits uint32
			if bits, err = parseMode(mode, 0o777, c.fs.Umask, true); err == nil {
				err = c.fs.Chmod(p, bits)
			}
		}
		if err != nil {
			if parents && (Is(err, EEXIST) || Is(err, ENOTDIR)) {
				err = EEXIST
			}
			c.warnf("cannot create directory %s: %s", quoted(p), reason(err))
			code = 1
		}
	}
	return code
}

func rmdirProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("p", "parents", "ignore-fail-on-non-empty")
	if !ok {
		return bad
	}
	code := 0
	for _, p := range rest {
		for {
			if err := c.fs.Rmdir(p); err != nil {
				if slices.ContainsFunc(opts, func(o option) bool { return len(o.name) > 8 }) && Is(err, ENOTEMPTY) {
					break
				}
				c.warnf("failed to remove %s: %s", quoted(p), reason(err))
				code = 1
				break
			}
			if p = dirName(p); !slices.ContainsFunc(opts, func(o option) bool { return o.name[0] == 'p' }) || p == "." || p == "/" {
				break
			}
		}
	}
	return code
}

func rmProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("rRfdiv", "recursive", "force", "dir", "verbose", "one-file-system")
	if !ok {
		return bad
	}
	all, force, dirs := false, false, false
	for _, o := range opts {
		switch o.name {
		case "r", "R", "recursive":
			all = true
		case "f", "force":
			force = true
		case "d", "dir":
			dirs = true
		}
	}
	if len(rest) == 0 && !force {
		return c.usage("missing operand")
	}
	code := 0
	for _, p := range rest {
		st, err := c.fs.Lstat(p)
		switch base := lastName(p); {
		case err != nil && force && (Is(err, ENOENT) || Is(err, ENOTDIR)):
			continue
		case err != nil:
		case base == "." || base == "..":
			c.warnf("refusing to remove '.' or '..' directory: skipping %s", quoted(p))
			code = 1
			continue
		case st.IsDir() && all && base == "/":
			return c.fail(1, "it is dangerous to operate recursively on '/'")
		case st.IsDir() && all:
			code = max(code, c.removeAll(p))
			continue
		case st.IsDir() && dirs:
			err = c.fs.Rmdir(p)
		case st.IsDir():
			err = EISDIR
		default:
			err = c.fs.Unlink(p)
		}
		if err != nil {
			c.warnf("cannot remove %s: %s", quoted(p), reason(err))
			code = 1
		}
	}
	return code
}

// removeAll removes a folder and says of each part what kept it from going.
func (c *call) removeAll(p string) int {
	list, err := c.fs.ReadDir(p)
	code := 0
	for _, e := range list {
		inner := strings.TrimRight(p, "/") + "/" + e.Name
		if e.IsDir() {
			code = max(code, c.removeAll(inner))
			continue
		}
		if err := c.fs.Unlink(inner); err != nil {
			c.warnf("cannot remove %s: %s", quoted(inner), reason(err))
			code = 1
		}
	}
	if err == nil && code == 0 {
		err = c.fs.Rmdir(strings.TrimRight(p, "/"))
	}
	if err != nil {
		c.warnf("cannot remove %s: %s", quoted(p), reason(err))
		code = 1
	}
	return code
}

func unlinkProgram(_ context.Context, c *call) int {
	for _, p := range c.args[1:] {
		if err := c.fs.Unlink(p); err != nil {
			return c.fail(1, "cannot unlink %s: %s", quoted(p), reason(err))
		}
	}
	return 0
}

func touchProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("acmd:r:t:h", "no-create", "date=", "reference=")
	if !ok {
		return bad
	}
	at, create := time.Now(), true
	for _, o := range opts {
		switch o.name {
		case "c", "no-create":
			create = false
		case "d", "date":
			if at, ok = parseDate(o.value, c.zone(), at); !ok {
				return c.fail(1, "invalid date format %s", quoted(o.value))
			}
		case "r", "reference":
			st, err := c.fs.Stat(o.value)
			if err != nil {
				return c.fail(1, "failed to get attributes of %s: %s", quoted(o.value), reason(err))
			}
			at = st.MTime
		case "t":
			t, err := time.ParseInLocation("200601021504.05", o.value, c.zone())
			if err != nil {
				if t, err = time.ParseInLocation("200601021504", o.value, c.zone()); err != nil {
					return c.fail(1, "invalid date format %s", quoted(o.value))
				}
			}
			at = t
		}
	}
	code := 0
	for _, p := range rest {
		err := c.fs.Chtimes(p, at, true)
		if Is(err, ENOENT) {
			if !create {
				continue
			}
			var h *Handle
			if h, err = c.fs.Open(p, os.O_WRONLY|os.O_CREATE, 0o666); err == nil {
				err = errors.Join(h.Close(), c.fs.Chtimes(p, at, true))
			}
		}
		if err != nil {
			c.warnf("cannot touch %s: %s", quoted(p), reason(err))
			code = 1
		}
	}
	return code
}
