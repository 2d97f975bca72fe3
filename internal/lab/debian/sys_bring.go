package debian

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
)

// bring is what a package puts on a machine, as far as anything here looks at it.
type bring struct {
	folders  []string
	files    []broughtFile
	programs []string // beside those of the catalogue
	groups   []string // of the system
	users    []broughtUser
	units    []broughtUnit
}

type broughtFile struct {
	path, text string
	mode       uint32
	conf       bool // it is kept where it was changed, and when the package goes
}

type broughtUser struct{ name, home string }

// broughtUnit is a unit, below /usr/lib/systemd/system.
type broughtUnit struct {
	name, text string
	idle       bool // it is not enabled and not started
}

const unitFolder = "/usr/lib/systemd/system"

// broughtBy is what a package brings.
func (d *dpkg) broughtBy(name string) bring {
	b := broughts[name]
	b.programs = slices.Concat(b.programs, d.cat.programs[name])
	return b
}

// carryOut installs and removes what a plan says.
func (c *call) carryOut(ctx context.Context, p *aptPlan, purge bool) int {
	if len(p.install) == 0 && len(p.remove) == 0 {
		return 0
	}
	var problems []error
	for _, name := range p.removals() {
		i := p.d.all[name]
		if i.is() {
			c.printf("Removing %s (%s) ...\n", name, i.version)
			problems = append(problems, c.takeAway(ctx, p.d, name))
		}
		if purge {
			c.printf("Purging configuration files for %s (%s) ...\n", name, i.version)
			problems = append(problems, c.purge(p.d, name))
		}
	}
	order := p.order()
	fresh := map[string]bool{}
	for _, q := range order {
		was := p.d.all[q.name]
		fresh[q.name] = !was.is()
		if fresh[q.name] {
			c.printf("Selecting previously unselected package %s.\nUnpacking %s (%s) ...\n", q.name, q.name, q.version)
		} else {
			c.printf("Unpacking %s (%s) over (%s) ...\n", q.name, q.version, was.version)
		}
		problems = append(problems, c.unpack(p.d, q))
	}
	if err := errors.Join(append(problems, p.d.save())...); err != nil {
		c.flush()
		c.aptError("%s", reason(err))
		return c.aptError("Sub-process /usr/bin/dpkg returned an error code (1)")
	}
	c.sys.units.reload()
	for _, q := range order {
		c.printf("Setting up %s (%s) ...\n", q.name, q.version)
		for _, u := range p.d.broughtBy(q.name).units {
			c.setUpUnit(ctx, u, fresh[q.name])
		}
	}
	return 0
}

// unpack writes what a package brings.
func (c *call) unpack(d *dpkg, q *pkg) error {
	root := c.sys.fs.Root()
	b := d.broughtBy(q.name)
	var all []string
	put := func(file string, text []byte, mode uint32) error {
		all = append(all, file)
		err := root.MkdirAll(path.Dir(file), 0o755)
		if err == nil {
			err = root.WriteFile(file, text, mode)
		}
		return err
	}
	var problems []error
	for _, g := range b.groups {
		problems = append(problems, c.sys.addSystemGroup(g))
	}
	for _, u := range b.users {
		problems = append(problems, c.sys.addSystemUser(u.name, u.home))
	}
	for _, folder := range b.folders {
		problems = append(problems, root.MkdirAll(folder, 0o755))
	}
	for _, file := range b.programs {
		problems = append(problems, put(file, binary(path.Base(file)), 0o755))
	}
	for _, u := range b.units {
		problems = append(problems, put(unitFolder+"/"+u.name, []byte(u.text), 0o644))
	}
	for _, f := range b.files {
		if f.conf && root.Exists(f.path) {
			all = append(all, f.path)
			continue
		}
		mode := f.mode
		if mode == 0 {
			mode = 0o644
		}
		problems = append(problems, put(f.path, []byte(f.text), mode), root.Chmod(f.path, mode))
	}
	slices.Sort(all)
	if len(all) > 0 {
		problems = append(problems, root.WriteFile(dpkgInfo+"/"+q.name+".list", []byte(strings.Join(all, "\n")+"\n"), 0o644))
	}
	want := "install"
	if was := d.all[q.name]; was.held() {
		want = "hold"
	}
	d.all[q.name] = &installed{q.name, q.version, q.arch, want, "installed"}
	return errors.Join(problems...)
}

// setUpUnit enables and starts a unit that a package brought, as Debian's packages do.
// One that was there before is started anew where it runs.
func (c *call) setUpUnit(ctx context.Context, u broughtUnit, fresh bool) {
	m := c.sys.units
	if m.isMasked(u.name) && fresh {
		m.unmask(u.name)
	}
	if u.idle || m.isMasked(u.name) {
		return
	}
	var err error
	switch state := m.state(u.name).fileState; {
	case !fresh && m.state(u.name).running():
		err = m.restart(ctx, u.name)
	case fresh:
		if links := m.enableLinks(u.name); state == "disabled" && len(links) > 0 {
			for _, l := range links {
				c.printf("Created symlink %s -> %s.\n", l, unitFolder+"/"+u.name)
			}
			err = m.enable(u.name)
		}
		if err == nil {
			err = m.start(ctx, u.name)
		}
	}
	if err != nil {
		c.printf("Job for %s failed: %s\n", u.name, reason(err))
	}
}

// takeAway removes what a package has brought, but its configuration.
func (c *call) takeAway(ctx context.Context, d *dpkg, name string) error {
	b := d.broughtBy(name)
	var problems []error
	for _, u := range slices.Backward(b.units) {
		problems = append(problems, c.sys.units.stop(ctx, u.name))
	}
	root := c.sys.fs.Root()
	conf := map[string]bool{}
	for _, f := range b.files {
		conf[f.path] = f.conf
	}
	for _, file := range d.files(name) {
		if !conf[file] && root.Exists(file) {
			problems = append(problems, root.Unlink(file))
		}
	}
	i := d.all[name]
	i.want, i.state = "deinstall", "not-installed"
	if slices.ContainsFunc(b.files, func(f broughtFile) bool { return f.conf }) {
		i.state = "config-files"
	}
	for _, u := range b.units { // as the packages' own scripts do, until they are installed again
		c.sys.units.mask(u.name)
	}
	if i.state == "not-installed" {
		problems = append(problems, c.purge(d, name))
	}
	return errors.Join(problems...)
}

// purge removes a package's configuration.
func (c *call) purge(d *dpkg, name string) error {
	root := c.sys.fs.Root()
	b := d.broughtBy(name)
	var problems []error
	for _, f := range b.files {
		if f.conf && root.Exists(f.path) {
			problems = append(problems, root.Unlink(f.path))
		}
	}
	for _, u := range b.units {
		c.sys.units.unmask(u.name)
		problems = append(problems, c.sys.units.disable(u.name))
	}
	if list := dpkgInfo + "/" + name + ".list"; root.Exists(list) {
		problems = append(problems, root.Unlink(list))
	}
	delete(d.all, name)
	return errors.Join(problems...)
}
