package debian

import (
	"strconv"
	"strings"
)

// passwd are the accounts as /etc/passwd has them.
type passwd struct {
	name, password, comment, home, shell string
	uid, gid                             uint32
	line                                 string
}

// group is one of /etc/group.
type group struct {
	name    string
	gid     uint32
	members []string
	line    string
}

// lines returns what a file of the machine says, line by line.
func (s *System) lines(file string) []string {
	data, err := s.fs.Root().ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func (s *System) accounts() []passwd {
	var list []passwd
	for _, line := range s.lines("/etc/passwd") {
		f := strings.Split(line, ":")
		if len(f) != 7 {
			continue
		}
		uid, err := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err != nil || err2 != nil {
			continue
		}
		list = append(list, passwd{name: f[0], password: f[1], uid: uint32(uid), gid: uint32(gid), comment: f[4], home: f[5], shell: f[6], line: line})
	}
	return list
}

func (s *System) groups() []group {
	var list []group
	for _, line := range s.lines("/etc/group") {
		f := strings.Split(line, ":")
		if len(f) != 4 {
			continue
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			continue
		}
		g := group{name: f[0], gid: uint32(gid), line: line}
		if f[3] != "" {
			g.members = strings.Split(f[3], ",")
		}
		list = append(list, g)
	}
	return list
}

// account returns an account by its name or number, with its groups.
func (s *System) account(name string) (Account, bool) {
	number, err := strconv.ParseUint(name, 10, 32)
	for _, p := range s.accounts() {
		if p.name != name && (err != nil || p.uid != uint32(number)) {
			continue
		}
		a := Account{Name: p.name, UID: p.uid, GID: p.gid, Home: p.home, Shell: p.shell}
		if a.Shell == "" {
			a.Shell = "/bin/sh"
		}
		for _, g := range s.groups() {
			for _, m := range g.members {
				if m == p.name && g.gid != p.gid {
					a.Groups = append(a.Groups, g.gid)
				}
			}
		}
		return a, true
	}
	return Account{}, false
}

// Account returns an account of the machine by its name.
func (s *System) Account(name string) (Account, bool) { return s.account(name) }

// group returns a group by its name or number.
func (s *System) group(name string) (group, bool) {
	number, err := strconv.ParseUint(name, 10, 32)
	for _, g := range s.groups() {
		if g.name == name || err == nil && g.gid == uint32(number) {
			return g, true
		}
	}
	return group{}, false
}

// names are the names of accounts and groups by their numbers.
type names struct{ users, groups map[uint32]string }

func (s *System) names() names {
	n := names{map[uint32]string{}, map[uint32]string{}}
	for _, p := range s.accounts() {
		if n.users[p.uid] == "" {
			n.users[p.uid] = p.name
		}
	}
	for _, g := range s.groups() {
		if n.groups[g.gid] == "" {
			n.groups[g.gid] = g.name
		}
	}
	return n
}

// user returns an account's name, or its number.
func (n names) user(uid uint32) string {
	if s := n.users[uid]; s != "" {
		return s
	}
	return strconv.FormatUint(uint64(uid), 10)
}

func (n names) group(gid uint32) string {
	if s := n.groups[gid]; s != "" {
		return s
	}
	return strconv.FormatUint(uint64(gid), 10)
}
