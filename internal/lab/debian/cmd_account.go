package debian

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func idProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("ugGnrz", "user", "group", "groups", "name", "real")
	if !ok {
		return bad
	}
	has := func(short, long string) bool {
		return slices.ContainsFunc(opts, func(o option) bool { return o.name == short || o.name == long })
	}
	who := c.fs.Who
	if len(rest) > 0 {
		if who, ok = c.sys.account(rest[0]); !ok {
			return c.fail(1, "'%s': no such user", rest[0])
		}
	}
	n := c.sys.names()
	show := func(id uint32, name string) string {
		if has("n", "name") {
			return name
		}
		return strconv.FormatUint(uint64(id), 10)
	}
	groups := append([]uint32{who.GID}, who.Groups...)
	switch {
	case has("u", "user"):
		c.printf("%s\n", show(who.UID, n.user(who.UID)))
	case has("g", "group"):
		c.printf("%s\n", show(who.GID, n.group(who.GID)))
	case has("G", "groups"):
		var list []string
		for _, g := range groups {
			list = append(list, show(g, n.group(g)))
		}
		c.printf("%s\n", strings.Join(list, " "))
	default:
		var list []string
		for _, g := range groups {
			list = append(list, fmt.Sprintf("%d(%s)", g, n.group(g)))
		}
		c.printf("uid=%d(%s) gid=%d(%s) groups=%s\n", who.UID, n.user(who.UID), who.GID, n.group(who.GID), strings.Join(list, ","))
	}
	return 0
}

func whoamiProgram(_ context.Context, c *call) int {
	c.printf("%s\n", c.sys.names().user(c.fs.Who.UID))
	return 0
}

func groupsProgram(_ context.Context, c *call) int {
	n := c.sys.names()
	show := func(who Account) string {
		var list []string
		for _, g := range append([]uint32{who.GID}, who.Groups...) {
			list = append(list, n.group(g))
		}
		return strings.Join(list, " ")
	}
	if len(c.args) == 1 {
		c.printf("%s\n", show(c.fs.Who))
	}
	code := 0
	for _, name := range c.args[1:] {
		who, ok := c.sys.account(name)
		if !ok {
			c.warnf("'%s': no such user", name)
			code = 1
			continue
		}
		c.printf("%s : %s\n", name, show(who))
	}
	return code
}

func getentProgram(_ context.Context, c *call) int {
	_, rest, bad, ok := c.options("")
	if !ok {
		return bad
	}
	if len(rest) == 0 {
		return c.fail(1, "wrong number of arguments")
	}
	var list []string
	switch rest[0] {
	case "passwd":
		for _, p := range c.sys.accounts() {
			list = append(list, p.line)
		}
	case "group":
		for _, g := range c.sys.groups() {
			list = append(list, g.line)
		}
	case "shadow", "gshadow":
		if c.fs.Access("/etc/"+rest[0], 4) != nil {
			return 2
		}
		list = c.sys.lines("/etc/" + rest[0])
	case "hosts", "ahosts", "ahostsv4":
		return getentHosts(c, rest[1:])
	default:
		return c.notSimulated("the database " + rest[0])
	}
	if len(rest) == 1 {
		for _, line := range list {
			c.printf("%s\n", line)
		}
		return 0
	}
	code := 0
	for _, key := range rest[1:] {
		i := slices.IndexFunc(list, func(line string) bool {
			f := strings.Split(line, ":")
			return f[0] == key || rest[0] != "shadow" && rest[0] != "gshadow" && len(f) > 2 && f[2] == key
		})
		if i < 0 {
			code = 2
			continue
		}
		c.printf("%s\n", list[i])
	}
	return code
}

// getentHosts answers from /etc/hosts: there is no other resolver.
func getentHosts(c *call, names []string) int {
	code := 0
	for _, name := range names {
		found := false
		for _, line := range c.sys.lines("/etc/hosts") {
			f := strings.Fields(line)
			if len(f) > 1 && !strings.HasPrefix(f[0], "#") && (slices.Contains(f[1:], name) || f[0] == name) {
				c.printf("%-15s %s\n", f[0], strings.Join(f[1:], " "))
				found = true
				break
			}
		}
		if !found {
			code = 2
		}
	}
	return code
}
