package debian

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Accounts are what the files of /etc say, as on any machine.

const (
	passwdPath = "/etc/passwd"
	groupPath  = "/etc/group"
	shadowPath = "/etc/shadow"
)

// accountsFile is one of those files: lines of fields.
type accountsFile struct {
	path string
	rows [][]string
}

func (s *System) openAccounts(path string) (*accountsFile, error) {
	text, err := s.fs.Root().ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &accountsFile{path: path}
	for line := range strings.Lines(string(text)) {
		f.rows = append(f.rows, strings.Split(strings.TrimSuffix(line, "\n"), ":"))
	}
	return f, nil
}

// row returns the fields of a name, nil where it is not there.
func (f *accountsFile) row(name string) []string {
	for _, r := range f.rows {
		if r[0] == name {
			return r
		}
	}
	return nil
}

func (f *accountsFile) drop(name string) {
	f.rows = slices.DeleteFunc(f.rows, func(r []string) bool { return r[0] == name })
}

func (f *accountsFile) save(s *System) error {
	var b strings.Builder
	for _, r := range f.rows {
		b.WriteString(strings.Join(r, ":") + "\n")
	}
	root := s.fs.Root()
	st, err := root.Stat(f.path)
	if err != nil {
		return err
	}
	next := f.path + "+"
	if err := errors.Join(root.WriteFile(next, []byte(b.String()), st.Mode), root.Chmod(next, st.Mode), root.Chown(next, int(st.UID), int(st.GID), true)); err != nil {
		return err
	}
	return root.Rename(next, f.path)
}

// free is the lowest number from first on that no row has in a field; from the top for
// those of the system, as Debian does.
func (f *accountsFile) free(field, first, last, step int) int {
	used := map[int]bool{}
	for _, r := range f.rows {
		if len(r) > field {
			n, _ := strconv.Atoi(r[field])
			used[n] = true
		}
	}
	for n := first; n != last+step; n += step {
		if !used[n] {
			return n
		}
	}
	return last
}

// freeID is a number that neither an account nor a group has.
func freeID(users, groups *accountsFile, system bool) int {
	both := &accountsFile{rows: slices.Concat(users.rows, groups.rows)}
	if system {
		return both.free(2, 999, 100, -1)
	}
	return both.free(2, 1000, 60000, 1)
}

// addSystemGroup makes a group for a package, where it is not there.
func (s *System) addSystemGroup(name string) error {
	groups, err := s.openAccounts(groupPath)
	if err != nil || groups.row(name) != nil {
		return err
	}
	users, err := s.openAccounts(passwdPath)
	if err != nil {
		return err
	}
	groups.rows = append(groups.rows, []string{name, "x", strconv.Itoa(freeID(users, groups, true)), ""})
	return groups.save(s)
}

// addSystemUser makes an account for a package, where it is not there.
func (s *System) addSystemUser(name, home string) error {
	if _, ok := s.account(name); ok {
		return nil
	}
	return s.addAccount(newAccount{name: name, home: home, shell: "/usr/sbin/nologin", system: true, uid: -1})
}

// newAccount is one that is to be made.
type newAccount struct {
	name, comment, home, shell, group string
	groups                            []string
	uid                               int  // -1: any
	shared                            bool // with another account

	system, makeHome bool
}

func (s *System) addAccount(a newAccount) error {
	users, err1 := s.openAccounts(passwdPath)
	groups, err2 := s.openAccounts(groupPath)
	shadow, err3 := s.openAccounts(shadowPath)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if a.uid < 0 {
		a.uid = freeID(users, groups, a.system)
	}
	gid := ""
	if a.group == "" {
		n := a.uid
		if slices.ContainsFunc(groups.rows, func(r []string) bool { return len(r) > 2 && r[2] == strconv.Itoa(n) }) {
			n = freeID(users, groups, a.system)
		}
		gid = strconv.Itoa(n)
		groups.rows = append(groups.rows, []string{a.name, "x", gid, ""})
	} else {
		g, _ := s.group(a.group)
		gid = strconv.Itoa(int(g.gid))
	}
	users.rows = append(users.rows, []string{a.name, "x", strconv.Itoa(a.uid), gid, a.comment, a.home, a.shell})
	shadow.rows = append(shadow.rows, []string{a.name, "!", strconv.FormatInt(time.Now().Unix()/86400, 10), "0", "99999", "7", "", "", ""})
	if a.system {
		shadow.rows[len(shadow.rows)-1] = []string{a.name, "!", strconv.FormatInt(time.Now().Unix()/86400, 10), "", "", "", "", "", ""}
	}
	for _, g := range a.groups {
		groups.member(g, a.name, true)
	}
	if err := errors.Join(groups.save(s), users.save(s), shadow.save(s)); err != nil || !a.makeHome {
		return err
	}
	who, _ := s.account(a.name)
	if s.fs.Root().Exists(who.Home) {
		return nil
	}
	mode := uint32(0o700)
	if s.cfg.Image == "debian-12" {
		mode = 0o755 // its login.defs has no HOME_MODE
	}
	return errors.Join(s.makeHome(who), s.fs.Root().Chmod(who.Home, mode))
}

// member puts an account into a group, or takes it out; it reports whether that changed
// anything.
func (f *accountsFile) member(group, name string, in bool) bool {
	r := f.row(group)
	if len(r) < 4 {
		return false
	}
	var list []string
	if r[3] != "" {
		list = strings.Split(r[3], ",")
	}
	was := slices.Contains(list, name)
	if was == in {
		return false
	}
	if in {
		list = append(list, name)
	} else {
		list = slices.DeleteFunc(list, func(m string) bool { return m == name })
	}
	r[3] = strings.Join(list, ",")
	return true
}

// needRoot ends a command that only root may run.
func (c *call) needRoot(file string) int {
	if c.proc.who.UID == 0 {
		return 0
	}
	return c.fail(1, "Permission denied.\n%s: cannot lock %s; try again later.", c.name(), file)
}

func useradd(ctx context.Context, c *call) int {
	opts, names, bad, ok := c.options("c:d:g:G:k:mMNrs:u:Up:Do", "comment=", "home-dir=", "home=", "gid=", "groups=", "create-home", "no-create-home", "system", "shell=", "uid=", "user-group", "no-user-group")
	if !ok {
		return bad
	}
	if code := c.needRoot(passwdPath); code != 0 {
		return code
	}
	if len(names) != 1 {
		c.flush()
		fmt.Fprintln(c.stderr, "Usage: useradd [options] LOGIN")
		return 2
	}
	a := newAccount{name: names[0], uid: -1, shell: "/bin/sh"}
	for _, o := range opts {
		switch o.name {
		case "c", "comment":
			a.comment = o.value
		case "d", "home-dir", "home":
			a.home = o.value
		case "g", "gid":
			a.group = o.value
		case "G", "groups":
			a.groups = strings.Split(o.value, ",")
		case "m", "create-home":
			a.makeHome = true
		case "M", "no-create-home":
			a.makeHome = false
		case "r", "system":
			a.system = true
		case "s", "shell":
			a.shell = o.value
		case "u", "uid":
			n, err := strconv.Atoi(o.value)
			if err != nil {
				return c.fail(3, "invalid user ID '%s'", o.value)
			}
			a.uid = n
		case "o":
			a.shared = true
		case "k", "p", "D", "N", "no-user-group":
			return c.notSimulated("option -" + o.name)
		}
	}
	return c.addChecked(a)
}

func (c *call) addChecked(a newAccount) int {
	if who, ok := c.sys.account(a.name); ok && who.Name == a.name {
		return c.fail(9, "user '%s' already exists", a.name)
	}
	unique := a.uid
	if a.shared {
		unique = -1
	}
	if code := c.checkAccount(a.name, unique, a.group, a.groups); code != 0 {
		return code
	}
	if _, ok := c.sys.group(a.name); ok && a.group == "" {
		return c.fail(9, "group %s exists - if you want to add this user to that group, use -g.", a.name)
	}
	if a.home == "" {
		a.home = "/home/" + a.name
	}
	if err := c.sys.addAccount(a); err != nil {
		return c.failErr(1, err)
	}
	return 0
}

// checkAccount finds what cannot be of an account that is made or changed.
func (c *call) checkAccount(name string, uid int, group string, groups []string) int {
	if name == "" || strings.ContainsAny(name, ":/ \n") || len(name) > 32 {
		return c.fail(3, "invalid user name '%s'", name)
	}
	if uid >= 0 {
		if other, ok := c.sys.account(strconv.Itoa(uid)); ok && other.UID == uint32(uid) && other.Name != name {
			return c.fail(4, "UID %d is not unique", uid)
		}
	}
	if group != "" {
		if _, ok := c.sys.group(group); !ok {
			return c.fail(6, "group '%s' does not exist", group)
		}
	}
	for _, g := range groups {
		if _, ok := c.sys.group(g); !ok {
			return c.fail(6, "group '%s' does not exist", g)
		}
	}
	return 0
}

func usermod(ctx context.Context, c *call) int {
	opts, names, bad, ok := c.options("ac:d:g:G:ms:u:LUrl:p:", "password=", "append", "comment=", "home=", "gid=", "groups=", "move-home", "shell=", "uid=", "lock", "unlock", "remove")
	if !ok {
		return bad
	}
	if code := c.needRoot(passwdPath); code != 0 {
		return code
	}
	if len(names) != 1 {
		c.flush()
		fmt.Fprintln(c.stderr, "Usage: usermod [options] LOGIN")
		return 2
	}
	return c.changeAccount(names[0], opts)
}

// groupChange is what becomes of an account's groups.
type groupChange struct {
	named                  []string
	sets, appends, removes bool
}

func (c *call) changeAccount(name string, opts []option) int {
	users, err1 := c.sys.openAccounts(passwdPath)
	groups, err2 := c.sys.openAccounts(groupPath)
	shadow, err3 := c.sys.openAccounts(shadowPath)
	if err := errors.Join(err1, err2, err3); err != nil {
		return c.failErr(1, err)
	}
	row, secret := users.row(name), shadow.row(name)
	if len(row) != 7 || len(secret) < 2 {
		return c.fail(6, "user '%s' does not exist", name)
	}
	var g groupChange
	uid, group := -1, ""
	for _, o := range opts {
		switch o.name {
		case "a", "append":
			g.appends = true
		case "r", "remove":
			g.removes = true
		case "G", "groups":
			g.sets = true
			if o.value != "" {
				g.named = strings.Split(o.value, ",")
			}
		case "u", "uid":
			n, err := strconv.Atoi(o.value)
			if err != nil {
				return c.fail(3, "invalid user ID '%s'", o.value)
			}
			uid = n
		case "g", "gid":
			group = o.value
		case "m", "move-home", "l":
			return c.notSimulated("option -" + o.name)
		}
	}
	if code := c.checkAccount(name, uid, group, g.named); code != 0 {
		return code
	}
	for _, o := range opts {
		c.changeField(row, secret, o)
	}
	groups.change(name, g)
	if err := errors.Join(users.save(c.sys), groups.save(c.sys), shadow.save(c.sys)); err != nil {
		return c.failErr(1, err)
	}
	return 0
}

// changeField changes what an option is about, of an account's lines in passwd and
// shadow.
func (c *call) changeField(row, secret []string, o option) {
	switch o.name {
	case "c", "comment":
		row[4] = o.value
	case "d", "home":
		row[5] = o.value
	case "s", "shell":
		row[6] = o.value
	case "u", "uid":
		row[2] = o.value
	case "g", "gid":
		g, _ := c.sys.group(o.value)
		row[3] = strconv.Itoa(int(g.gid))
	case "L", "lock":
		secret[1] = "!" + strings.TrimPrefix(secret[1], "!")
	case "U", "unlock":
		secret[1] = strings.TrimPrefix(secret[1], "!")
	case "p", "password":
		secret[1] = o.value
	}
}

// change puts an account into groups, and takes it out of others.
func (f *accountsFile) change(name string, g groupChange) {
	if !g.sets {
		return
	}
	for _, r := range f.rows {
		if slices.Contains(g.named, r[0]) {
			f.member(r[0], name, !g.removes)
		} else if !g.appends && !g.removes {
			f.member(r[0], name, false)
		}
	}
}

func userdel(ctx context.Context, c *call) int {
	opts, names, bad, ok := c.options("rf", "remove", "force")
	if !ok {
		return bad
	}
	if code := c.needRoot(passwdPath); code != 0 {
		return code
	}
	if len(names) != 1 {
		return c.fail(2, "want the name of one account")
	}
	who, ok := c.sys.account(names[0])
	if !ok || who.Name != names[0] {
		return c.fail(6, "user '%s' does not exist", names[0])
	}
	force := slices.ContainsFunc(opts, func(o option) bool { return o.name == "f" || o.name == "force" })
	if pid := c.sys.processOf(who.UID); pid != 0 && !force {
		return c.fail(8, "user %s is currently used by process %d", who.Name, pid)
	}
	var problems []error
	for _, path := range []string{passwdPath, shadowPath, groupPath} {
		f, err := c.sys.openAccounts(path)
		if err != nil {
			return c.failErr(1, err)
		}
		if path == groupPath {
			for _, r := range f.rows {
				f.member(r[0], who.Name, false)
			}
			if g := f.row(who.Name); len(g) == 4 && g[3] == "" && g[2] == strconv.Itoa(int(who.GID)) {
				f.drop(who.Name)
			}
		} else {
			f.drop(who.Name)
		}
		problems = append(problems, f.save(c.sys))
	}
	if slices.ContainsFunc(opts, func(o option) bool { return o.name == "r" || o.name == "remove" }) && who.Home != "/" {
		problems = append(problems, c.sys.fs.Root().RemoveAll(who.Home))
	}
	if err := errors.Join(problems...); err != nil {
		return c.failErr(1, err)
	}
	return 0
}

// processOf is a process of an account, 0 where it has none.
func (s *System) processOf(uid uint32) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for pid, p := range s.procs {
		if p.who.UID == uid {
			return pid
		}
	}
	return 0
}
