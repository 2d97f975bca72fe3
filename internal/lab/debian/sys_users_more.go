package debian

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

func groupadd(ctx context.Context, c *call) int {
	opts, names, bad, ok := c.options("rfg:", "system", "force", "gid=")
	if !ok {
		return bad
	}
	if code := c.needRoot(groupPath); code != 0 {
		return code
	}
	if len(names) != 1 {
		return c.fail(2, "want the name of one group")
	}
	users, err1 := c.sys.openAccounts(passwdPath)
	groups, err2 := c.sys.openAccounts(groupPath)
	if err := errors.Join(err1, err2); err != nil {
		return c.failErr(1, err)
	}
	system, force, gid := false, false, ""
	for _, o := range opts {
		switch o.name {
		case "r", "system":
			system = true
		case "f", "force":
			force = true
		case "g", "gid":
			gid = o.value
		}
	}
	if groups.row(names[0]) != nil {
		if force {
			return 0
		}
		return c.fail(9, "group '%s' already exists", names[0])
	}
	if gid == "" {
		gid = strconv.Itoa(freeID(users, groups, system))
	} else if _, err := strconv.ParseUint(gid, 10, 32); err != nil {
		return c.fail(3, "invalid group ID '%s'", gid)
	} else if _, taken := c.sys.group(gid); taken {
		return c.fail(4, "GID '%s' already exists", gid)
	}
	groups.rows = append(groups.rows, []string{names[0], "x", gid, ""})
	if err := groups.save(c.sys); err != nil {
		return c.failErr(1, err)
	}
	return 0
}

func groupdel(ctx context.Context, c *call) int {
	if code := c.needRoot(groupPath); code != 0 {
		return code
	}
	if len(c.args) != 2 {
		return c.fail(2, "want the name of one group")
	}
	groups, err := c.sys.openAccounts(groupPath)
	if err != nil {
		return c.failErr(1, err)
	}
	row := groups.row(c.args[1])
	if row == nil {
		return c.fail(6, "group '%s' does not exist", c.args[1])
	}
	for _, p := range c.sys.accounts() {
		if strconv.Itoa(int(p.gid)) == row[2] {
			return c.fail(8, "cannot remove the primary group of user '%s'", p.name)
		}
	}
	groups.drop(c.args[1])
	if err := groups.save(c.sys); err != nil {
		return c.failErr(1, err)
	}
	return 0
}

func gpasswd(ctx context.Context, c *call) int {
	opts, operands, bad, ok := c.options("a:d:", "add=", "delete=")
	if !ok {
		return bad
	}
	if code := c.needRoot(groupPath); code != 0 {
		return code
	}
	if len(opts) != 1 || len(operands) != 1 {
		return c.notSimulated(strings.Join(c.args[1:], " "))
	}
	groups, err := c.sys.openAccounts(groupPath)
	if err != nil {
		return c.failErr(1, err)
	}
	name, group := opts[0].value, operands[0]
	if groups.row(group) == nil {
		return c.fail(3, "group '%s' does not exist in /etc/group", group)
	}
	add := opts[0].name == "a" || opts[0].name == "add"
	if _, ok := c.sys.account(name); !ok && add {
		return c.fail(3, "user '%s' does not exist", name)
	}
	changed := groups.member(group, name, add)
	if !add {
		c.printf("Removing user %s from group %s\n", name, group)
		if !changed {
			return c.fail(3, "user '%s' is not a member of '%s'", name, group)
		}
	} else {
		c.printf("Adding user %s to group %s\n", name, group)
	}
	if err := groups.save(c.sys); err != nil {
		return c.failErr(1, err)
	}
	return 0
}

// chpasswd reads NAME:PASSWORD lines. Only hashes are kept: the machine has no use for
// a password but to compare it.
func chpasswd(ctx context.Context, c *call) int {
	opts, _, bad, ok := c.options("e", "encrypted")
	if !ok {
		return bad
	}
	if code := c.needRoot(passwdPath); code != 0 {
		return code
	}
	if len(opts) == 0 {
		return c.notSimulated("without -e: a lab does not hash passwords")
	}
	shadow, err := c.sys.openAccounts(shadowPath)
	if err != nil {
		return c.failErr(1, err)
	}
	lines := bufio.NewScanner(c.stdin)
	for n := 1; lines.Scan(); n++ {
		name, hash, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			return c.fail(1, "line %d: missing new password", n)
		}
		row := shadow.row(name)
		if len(row) < 3 {
			return c.fail(1, "line %d: user '%s' does not exist", n, name)
		}
		row[1], row[2] = hash, strconv.FormatInt(time.Now().Unix()/86400, 10)
	}
	if err := shadow.save(c.sys); err != nil {
		return c.failErr(1, err)
	}
	return 0
}

// passwdCommand is passwd, as far as it locks, unlocks and tells.
func passwdCommand(ctx context.Context, c *call) int {
	opts, names, bad, ok := c.options("luSde", "lock", "unlock", "status", "delete", "expire")
	if !ok {
		return bad
	}
	if len(opts) != 1 {
		return c.notSimulated("without -l, -u, -d or -S")
	}
	name := c.proc.who.Name
	if len(names) > 0 {
		name = names[0]
	}
	if c.proc.who.UID != 0 && (opts[0].name != "S" || name != c.proc.who.Name) {
		return c.fail(1, "Permission denied.")
	}
	shadow, err := c.sys.openAccounts(shadowPath)
	if err != nil {
		return c.failErr(1, err)
	}
	row := shadow.row(name)
	if row == nil {
		return c.fail(1, "user '%s' does not exist", name)
	}
	switch opts[0].name {
	case "S", "status":
		state := "P"
		switch {
		case row[1] == "":
			state = "NP"
		case strings.HasPrefix(row[1], "!"), row[1] == "*":
			state = "L"
		}
		c.printf("%s %s\n", name, state)
		return 0
	case "l", "lock":
		row[1] = "!" + strings.TrimPrefix(row[1], "!")
	case "u", "unlock":
		if row[1] == "!" || row[1] == "" {
			return c.fail(3, "unlocking the password would result in a passwordless account.\nYou should set a password with usermod -p to unlock the password of this account.")
		}
		row[1] = strings.TrimPrefix(row[1], "!")
	case "d", "delete":
		row[1] = ""
	default:
		return c.notSimulated("option -" + opts[0].name)
	}
	if err := shadow.save(c.sys); err != nil {
		return c.failErr(1, err)
	}
	c.printf("passwd: password changed.\n")
	return 0
}

func chage(ctx context.Context, c *call) int { return c.notSimulated(strings.Join(c.args[1:], " ")) }

func chsh(ctx context.Context, c *call) int {
	opts, names, bad, ok := c.options("s:", "shell=")
	if !ok {
		return bad
	}
	if len(opts) != 1 || len(names) != 1 {
		return c.notSimulated(strings.Join(c.args[1:], " "))
	}
	c.args = []string{"usermod", "-s", opts[0].value, names[0]}
	return usermod(ctx, c)
}

// adduser is Debian's front end, as far as scripts use it.
func adduser(ctx context.Context, c *call) int {
	opts, names, bad, ok := c.options("q", "system", "group", "disabled-password", "disabled-login", "gecos=", "comment=", "home=", "shell=", "no-create-home", "ingroup=", "uid=", "quiet")
	if !ok {
		return bad
	}
	if code := c.needRoot(passwdPath); code != 0 {
		return code
	}
	if len(names) == 2 { // into a group
		c.args = []string{"gpasswd", "-a", names[0], names[1]}
		return gpasswd(ctx, c)
	}
	if len(names) != 1 {
		return c.fail(1, "want one or two names")
	}
	a := newAccount{name: names[0], uid: -1, shell: "/bin/bash", makeHome: true}
	for _, o := range opts {
		switch o.name {
		case "system":
			a.system, a.shell = true, "/usr/sbin/nologin"
		case "gecos", "comment":
			a.comment = o.value
		case "home":
			a.home = o.value
		case "shell":
			a.shell = o.value
		case "no-create-home":
			a.makeHome = false
		case "ingroup":
			a.group = o.value
		case "uid":
			a.uid, _ = strconv.Atoi(o.value)
		}
	}
	if a.system && a.group == "" && !slices.ContainsFunc(opts, func(o option) bool { return o.name == "group" }) {
		a.group = "nogroup"
	}
	return c.addChecked(a)
}

// runuser runs a program as another account, as only root may.
func runuser(ctx context.Context, c *call) int {
	opts, words, bad, ok := c.optionsFirst("u:", "user=")
	if !ok {
		return bad
	}
	if c.proc.who.UID != 0 {
		return c.fail(1, "may not be used by non-root users")
	}
	if len(opts) != 1 || len(words) == 0 {
		return c.notSimulated("without -u ACCOUNT -- PROGRAM")
	}
	who, ok := c.sys.account(opts[0].value)
	if !ok {
		return c.fail(1, "user %s does not exist or the user entry does not contain all the required fields", opts[0].value)
	}
	return c.spawn(ctx, words, func(child *call) { child.fs.Who = who })
}
