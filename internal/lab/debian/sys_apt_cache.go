package debian

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

// aptCacheCommand is apt-cache, and what apt has of it.
func aptCacheCommand(ctx context.Context, c *call) int {
	opts, operands, bad, ok := c.options("qano:", "quiet", "no-all-versions", "all-versions", "names-only", "installed", "upgradable")
	if !ok {
		return bad
	}
	if len(operands) == 0 {
		return c.aptError("no operation was given: apt-cache madison|show|policy|search|pkgnames")
	}
	d, err := c.sys.openDpkg()
	if err != nil {
		return c.aptError("%s", reason(err))
	}
	lists, err := c.sys.openLists()
	if err != nil {
		c.aptError("%s", err)
		return c.aptError("The list of sources could not be read.")
	}
	verb, names := operands[0], operands[1:]
	switch verb {
	case "madison":
		return c.madison(lists, names)
	case "show":
		first := slices.ContainsFunc(opts, func(o option) bool { return o.name == "no-all-versions" })
		return c.aptShow(d, lists, names, first || c.name() == "apt")
	case "policy":
		return c.aptPolicy(d, lists, names)
	case "list":
		return c.aptList(d, lists, names, slices.ContainsFunc(opts, func(o option) bool { return o.name == "installed" }))
	case "pkgnames", "search":
		return c.aptSearch(d, lists, verb, names)
	}
	return c.notSimulated(verb)
}

func (c *call) madison(lists *aptLists, names []string) int {
	for _, name := range names {
		for _, p := range lists.versions(name) {
			where, _ := lists.where(p)
			for _, at := range where {
				c.printf("%10s | %10s | %s\n", p.name, p.version, at)
			}
		}
	}
	return 0
}

func (c *call) aptShow(d *dpkg, lists *aptLists, names []string, first bool) int {
	found := false
	for _, name := range names {
		name, version, given := strings.Cut(name, "=")
		all := lists.versions(name)
		if i := d.all[name]; i.is() {
			if p := d.info(name); p != nil && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
		for _, p := range all {
			if given && p.version != version {
				continue
			}
			found = true
			c.printf("Package: %s\nVersion: %s\nPriority: %s\nArchitecture: %s\nInstalled-Size: %d\n", p.name, p.version, p.priority, p.arch, p.size)
			for _, f := range [][2]string{{"Depends", joinRelations(p.depends)}, {"Recommends", joinRelations(p.recommends)}} {
				if f[1] != "" {
					c.printf("%s: %s\n", f[0], f[1])
				}
			}
			c.printf("Description: %s\n\n", p.description)
			if first {
				break
			}
		}
	}
	if !found {
		return c.aptError("No packages found")
	}
	return 0
}

func (c *call) aptPolicy(d *dpkg, lists *aptLists, names []string) int {
	if len(names) == 0 {
		return c.notSimulated("policy without a package")
	}
	for _, name := range names {
		all := lists.versions(name)
		i := d.all[name]
		if len(all) == 0 && !i.is() {
			c.flush()
			fmt.Fprintf(c.stderr, "N: Unable to locate package %s\n", name)
			continue
		}
		is, candidate := "(none)", "(none)"
		if i.is() {
			is, candidate = i.version, i.version
		}
		if len(all) > 0 && (!i.is() || debianOrder(all[0].version, i.version) > 0) {
			candidate = all[0].version
		}
		c.printf("%s:\n  Installed: %s\n  Candidate: %s\n  Version table:\n", name, is, candidate)
		if i.is() && !slices.ContainsFunc(all, func(p *pkg) bool { return p.version == i.version }) {
			c.printf(" *** %s 100\n        100 %s\n", i.version, dpkgStatus)
		}
		for _, p := range all {
			mark := "    "
			if i.is() && p.version == i.version {
				mark = "*** "
			}
			c.printf(" %s%s 500\n", mark, p.version)
			where, _ := lists.where(p)
			for _, at := range where {
				c.printf("        500 %s\n", at)
			}
			if mark == "*** " {
				c.printf("        100 %s\n", dpkgStatus)
			}
		}
	}
	return 0
}

func (c *call) aptList(d *dpkg, lists *aptLists, patterns []string, installed bool) int {
	c.printf("Listing...\n")
	for _, name := range sortedKeys(d.cat.packages) {
		i, p := d.all[name], lists.candidate(name)
		fits := len(patterns) == 0 || slices.ContainsFunc(patterns, func(pat string) bool { ok, _ := path.Match(pat, name); return ok })
		switch {
		case !fits || installed && !i.is():
		case i.is():
			c.printf("%s/now %s %s [installed]\n", name, i.version, i.arch)
		case p != nil:
			c.printf("%s/%s %s %s\n", name, strings.Join(p.suites, ","), p.version, p.arch)
		}
	}
	return 0
}

func (c *call) aptSearch(d *dpkg, lists *aptLists, verb string, patterns []string) int {
	for _, name := range sortedKeys(d.cat.packages) {
		p := lists.candidate(name)
		if p == nil {
			p = d.info(name)
		}
		switch {
		case p == nil:
		case verb == "pkgnames":
			if len(patterns) == 0 || strings.HasPrefix(name, patterns[0]) {
				c.printf("%s\n", name)
			}
		case !slices.ContainsFunc(patterns, func(pat string) bool { return !strings.Contains(name+" "+p.description, pat) }):
			c.printf("%s - %s\n", name, p.description)
		}
	}
	return 0
}

// aptMarkCommand is apt-mark.
func aptMarkCommand(ctx context.Context, c *call) int {
	_, operands, bad, ok := c.options("q", "quiet")
	if !ok {
		return bad
	}
	if len(operands) == 0 {
		return c.aptError("no operation was given: apt-mark hold|unhold|showhold|auto|manual|showauto|showmanual")
	}
	d, err := c.sys.openDpkg()
	if err != nil {
		return c.aptError("%s", reason(err))
	}
	verb, names := operands[0], operands[1:]
	auto := c.sys.readAuto()
	switch verb {
	case "showhold", "showauto", "showmanual":
		for _, name := range sortedKeys(d.all) {
			i := d.all[name]
			shown := map[string]bool{"showhold": i.held(), "showauto": i.is() && auto[name], "showmanual": i.is() && !auto[name]}[verb]
			if shown && (len(names) == 0 || slices.Contains(names, name)) {
				c.printf("%s\n", name)
			}
		}
		return 0
	case "hold", "unhold", "auto", "manual":
	default:
		return c.notSimulated(verb)
	}
	for _, name := range names {
		if d.all[name] == nil && len(d.cat.packages[name]) == 0 {
			c.aptError("Unable to locate package %s", name)
			return c.aptError("No packages found")
		}
	}
	unlock, code := c.lockDpkg(ctx, 0)
	if code != 0 {
		return code
	}
	defer unlock()
	if verb == "hold" || verb == "unhold" {
		return c.hold(d, names, verb == "hold")
	}
	for _, name := range names {
		if d.all[name].is() {
			auto[name] = verb == "auto"
			c.printf("%s set to %s installed.\n", name, map[string]string{"auto": "automatically", "manual": "manually"}[verb])
		}
	}
	if err := c.sys.writeAuto(&aptPlan{d: d, auto: auto}); err != nil {
		return c.aptError("%s", reason(err))
	}
	return 0
}

func (c *call) hold(d *dpkg, names []string, hold bool) int {
	for _, name := range names {
		i := d.all[name]
		if i == nil {
			i = &installed{name: name, arch: "amd64", want: "unknown", state: "not-installed"}
			d.all[name] = i
		}
		switch {
		case hold && i.held():
			c.printf("%s was already set on hold.\n", name)
		case hold:
			i.want = "hold"
			c.printf("%s set on hold.\n", name)
		case !i.held():
			c.printf("%s was already not on hold.\n", name)
		default:
			i.want = map[bool]string{true: "install", false: "unknown"}[i.is()]
			c.printf("Canceled hold on %s.\n", name)
		}
	}
	if err := d.save(); err != nil {
		return c.aptError("%s", reason(err))
	}
	return 0
}

// dockerKey is the key that Docker publishes at https://download.docker.com/linux/debian/gpg.
//
//go:embed data/docker.asc
var dockerKey []byte

// aptHelperCommand is apt-helper, which fetches a file as apt does: Docker's key is the
// one that there is.
func aptHelperCommand(ctx context.Context, c *call) int {
	if len(c.args) != 4 || c.args[1] != "download-file" {
		return c.notSimulated(strings.Join(c.args[1:], " "))
	}
	uri, to := c.args[2], c.args[3]
	if !strings.HasPrefix(uri, "https://download.docker.com/linux/") || path.Base(uri) != "gpg" {
		c.printf("Err:1 %s\n  swarmscript lab: not simulated: fetching this\n", uri)
		c.aptError("Failed to fetch %s  swarmscript lab: not simulated: fetching this", uri)
		return c.aptError("Download Failed")
	}
	if err := c.fs.WriteFile(to, bytes.Clone(dockerKey), 0o644); err != nil {
		return c.aptError("%s", reason(err))
	}
	c.printf("Get:1 %s [%d B]\nFetched %d B in 0s (0 B/s)\n", uri, len(dockerKey), len(dockerKey))
	return 0
}
