package debian

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func chmodProgram(_ context.Context, c *call) int {
	args := c.args
	for i, a := range args[1:] { // -x is a mode, not an option
		if len(a) > 1 && a[0] == '-' && strings.Trim(a[1:], "rwxXstugo,+-=") == "" && a != "--" && strings.IndexByte("rwxXst", a[1]) >= 0 {
			c.args = slices.Concat(args[:i+1], []string{"--", a}, args[i+2:])
			break
		}
	}
	opts, rest, bad, ok := c.options("Rfvc", "recursive", "reference=", "silent", "quiet")
	if !ok {
		return bad
	}
	all := false
	for _, o := range opts {
		switch o.name {
		case "R", "recursive":
			all = true
		case "reference":
			st, err := c.fs.Stat(o.value)
			if err != nil {
				return c.fail(1, "failed to get attributes of %s: %s", quoted(o.value), reason(err))
			}
			rest = append([]string{fmt.Sprintf("%04o", st.Mode)}, rest...)
		}
	}
	if len(rest) < 2 {
		return c.usage("missing operand")
	}
	code := 0
	for _, p := range rest[1:] {
		code = max(code, c.tree(p, all, "cannot access", func(p string, st Stat) int {
			if st.Kind == Link {
				if all && p != rest[1] {
					return 0
				}
				st, _ = c.fs.Stat(p)
			}
			bits, err := parseMode(rest[0], st.Mode, c.fs.Umask, st.IsDir())
			if err != nil {
				return c.usage("%s", err)
			}
			if err := c.fs.Chmod(p, bits); err != nil {
				return c.fail(1, "changing permissions of %s: %s", quoted(p), reason(err))
			}
			return 0
		}))
	}
	return code
}

// tree calls a function for what is at a path, and with all for what is in it too.
func (c *call) tree(p string, all bool, failure string, do func(p string, st Stat) int) int {
	st, err := c.fs.Lstat(p)
	if err != nil {
		return c.fail(1, "%s %s: %s", failure, quoted(p), reason(err))
	}
	code := do(p, st)
	if !all || !st.IsDir() {
		return code
	}
	list, err := c.fs.ReadDir(p)
	if err != nil {
		return c.fail(1, "cannot read directory %s: %s", quoted(p), reason(err))
	}
	for _, e := range list {
		code = max(code, c.tree(strings.TrimRight(p, "/")+"/"+e.Name, true, failure, do))
	}
	return code
}

// owner reads what chown takes: USER, USER:GROUP, USER: and :GROUP.
func (c *call) owner(spec string, groupOnly bool) (uid, gid int, err error) {
	uid, gid = -1, -1
	user, grp, both := strings.Cut(spec, ":")
	if groupOnly {
		user, grp, both = "", spec, true
	}
	if user != "" {
		if who, ok := c.sys.account(user); ok {
			uid = int(who.UID)
			if both && grp == "" {
				gid = int(who.GID)
			}
		} else if uid, err = strconv.Atoi(user); err != nil {
			return 0, 0, fmt.Errorf("invalid user: %s", quoted(spec))
		}
	}
	if grp != "" {
		if g, ok := c.sys.group(grp); ok {
			gid = int(g.gid)
		} else if gid, err = strconv.Atoi(grp); err != nil {
			return 0, 0, fmt.Errorf("invalid group: %s", quoted(spec))
		}
	}
	return uid, gid, nil
}

func chownProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("RhfvcLPH", "recursive", "no-dereference", "reference=", "from=")
	if !ok {
		return bad
	}
	all, follow := false, true
	for _, o := range opts {
		switch o.name {
		case "R", "recursive":
			all = true
		case "h", "no-dereference":
			follow = false
		case "f", "v", "c", "P":
		default:
			return c.notSimulated("option " + o.name)
		}
	}
	if len(rest) < 2 {
		return c.usage("missing operand")
	}
	uid, gid, err := c.owner(rest[0], c.name() == "chgrp")
	if err != nil {
		return c.fail(1, "%v", err)
	}
	code := 0
	for _, p := range rest[1:] {
		code = max(code, c.tree(p, all, "cannot access", func(p string, st Stat) int {
			if err := c.fs.Chown(p, uid, gid, follow && !(all && st.Kind == Link)); err != nil {
				what := "ownership"
				if c.name() == "chgrp" {
					what = "group"
				}
				return c.fail(1, "changing %s of %s: %s", what, quoted(p), reason(err))
			}
			return 0
		}))
	}
	return code
}
