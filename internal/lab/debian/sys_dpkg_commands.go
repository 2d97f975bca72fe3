package debian

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dpkgQuery is dpkg-query.
func dpkgQuery(ctx context.Context, c *call) int {
	d, err := c.sys.openDpkg()
	if err != nil {
		return c.failErr(2, err)
	}
	opts, names, bad, ok := c.options("Wlsf:LS", "show", "list", "status", "showformat=", "listfiles", "search", "no-pager")
	if !ok {
		return bad
	}
	action, format := "", "${binary:Package}\t${Version}\n"
	for _, o := range opts {
		switch o.name {
		case "f", "showformat":
			format = o.value
		case "no-pager":
		default:
			action = map[string]string{"show": "W", "list": "l", "status": "s", "listfiles": "L", "search": "S"}[o.name]
			if action == "" {
				action = o.name
			}
		}
	}
	switch action {
	case "W":
		return c.dpkgShow(d, format, names)
	case "l", "s", "L", "S":
		return c.dpkgAsk(d, action, names)
	}
	return c.fail(2, "error: need an action option")
}

func (c *call) dpkgShow(d *dpkg, format string, names []string) int {
	list, missing := d.matching(names)
	if len(names) == 0 {
		list, _ = d.matching([]string{"*"})
	}
	for _, i := range list {
		c.printf("%s", expandFormat(format, func(name string) string { return d.field(i, name) }))
	}
	for _, m := range missing {
		c.warnf("no packages found matching %s", m)
	}
	return min(1, len(missing))
}

// expandFormat fills in a format of dpkg-query: ${NAME} and ${NAME;WIDTH}.
func expandFormat(format string, field func(string) string) string {
	format = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`).Replace(format)
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(format, "${")
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return b.String()
		}
		name, width, _ := strings.Cut(name, ";")
		n, _ := strconv.Atoi(width)
		fmt.Fprintf(&b, "%*s", n, field(name))
		format = after
	}
}

// dpkgAsk is -l, -s, -L and -S.
func (c *call) dpkgAsk(d *dpkg, action string, names []string) int {
	if len(names) == 0 && action != "l" {
		return c.fail(2, "error: -%s needs at least one package name argument", action)
	}
	if action == "l" {
		return c.dpkgList(d, names)
	}
	code := 0
	for n, name := range names {
		i := d.all[name]
		switch {
		case action == "S":
			code = max(code, c.dpkgSearch(d, name))
		case i == nil || i.state == "not-installed":
			c.flush()
			fmt.Fprintf(c.stderr, "dpkg-query: package '%s' is not installed and no information is available\n", name)
			code = 1
		case action == "L":
			c.printf("/.\n%s\n", strings.Join(d.files(name), "\n"))
		default:
			if n > 0 {
				c.printf("\n")
			}
			c.printf("%s", d.statusText(i))
		}
	}
	if code == 1 && action != "S" {
		c.flush()
		fmt.Fprintln(c.stderr, "Use dpkg --info (= dpkg-deb --info) to examine archive files.")
	}
	return code
}

func (d *dpkg) statusText(i *installed) string {
	var b strings.Builder
	for _, name := range []string{"Package", "Essential", "Status", "Priority", "Installed-Size", "Architecture", "Version", "Depends", "Recommends", "Description"} {
		if v := d.field(i, name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	return b.String()
}

func (c *call) dpkgSearch(d *dpkg, pattern string) int {
	found := false
	for _, name := range sortedKeys(d.all) {
		for _, f := range d.files(name) {
			if f == pattern || !strings.HasPrefix(pattern, "/") && strings.Contains(f, pattern) {
				c.printf("%s: %s\n", name, f)
				found = true
			}
		}
	}
	if !found {
		return c.fail(1, "no path found matching pattern %s", pattern)
	}
	return 0
}

func (c *call) dpkgList(d *dpkg, names []string) int {
	list, missing := d.matching(names)
	if len(names) == 0 {
		list, _ = d.matching([]string{"*"})
		list = slices.DeleteFunc(list, func(i *installed) bool { return i.state == "not-installed" })
	}
	if len(list) > 0 {
		wide := []int{14, 12, 12}
		for _, i := range list {
			wide[0], wide[1] = max(wide[0], len(i.name)), max(wide[1], len(i.version))
		}
		c.printf("Desired=Unknown/Install/Remove/Purge/Hold\n| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend\n|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)\n")
		c.printf("||/ %-*s %-*s %-*s Description\n", wide[0], "Name", wide[1], "Version", wide[2], "Architecture")
		c.printf("+++-%s-%s-%s-%s\n", strings.Repeat("=", wide[0]), strings.Repeat("=", wide[1]), strings.Repeat("=", wide[2]), strings.Repeat("=", 33))
		for _, i := range list {
			c.printf("%s  %-*s %-*s %-*s %s\n", i.abbrev(), wide[0], i.name, wide[1], i.version, wide[2], i.arch, d.field(i, "Description"))
		}
	}
	for _, m := range missing {
		c.flush()
		fmt.Fprintf(c.stderr, "dpkg-query: no packages found matching %s\n", m)
	}
	return min(1, len(missing))
}

// dpkgCommand is dpkg.
func dpkgCommand(ctx context.Context, c *call) int {
	if len(c.args) < 2 {
		return c.fail(2, "error: need an action option")
	}
	d, err := c.sys.openDpkg()
	if err != nil {
		return c.failErr(2, err)
	}
	operands := c.args[2:]
	switch action := c.args[1]; action {
	case "--audit", "-C", "--configure":
		return 0 // nothing is left half done
	case "--print-architecture":
		c.printf("amd64\n")
		return 0
	case "--print-foreign-architectures":
		return 0
	case "--compare-versions":
		if len(operands) != 3 {
			return c.fail(2, "error: --compare-versions takes three arguments: <version> <relation> <version>")
		}
		is, ok := compares(operands[0], operands[1], operands[2])
		if !ok {
			return c.fail(2, "error: --compare-versions bad relation")
		}
		if is {
			return 0
		}
		return 1
	case "-l", "--list", "-s", "--status", "-L", "--listfiles", "-S", "--search":
		return c.dpkgAsk(d, map[string]string{"--list": "l", "--status": "s", "--listfiles": "L", "--search": "S", "-l": "l", "-s": "s", "-L": "L", "-S": "S"}[action], operands)
	case "--get-selections":
		for _, name := range sortedKeys(d.all) {
			c.printf("%s\t%s\n", name, d.all[name].want)
		}
		return 0
	case "-r", "--remove", "-P", "--purge":
		return c.dpkgRemove(ctx, d, action == "-P" || action == "--purge", operands)
	case "--version":
		c.printf("Debian 'dpkg' package management program version %s (amd64).\n", d.all["dpkg"].version)
		return 0
	default:
		return c.notSimulated(action)
	}
}

// dpkgRemove removes packages, where nothing needs them.
func (c *call) dpkgRemove(ctx context.Context, d *dpkg, purge bool, names []string) int {
	if c.proc.who.UID != 0 {
		return c.fail(2, "error: requested operation requires superuser privilege")
	}
	unlock, code := c.lockDpkg(ctx, 0)
	if code != 0 {
		return code
	}
	defer unlock()
	p := newAptPlan(d)
	for _, name := range names {
		if !d.all[name].is() && !(purge && d.all[name] != nil) {
			c.warnf("warning: ignoring request to remove %s which isn't installed", name)
			continue
		}
		p.remove[name] = true
	}
	for name, why := range p.broken() {
		return c.fail(1, "dependency problems prevent removal: %s needs %s", name, why)
	}
	return c.carryOut(ctx, p, purge)
}
