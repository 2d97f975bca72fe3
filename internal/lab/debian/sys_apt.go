package debian

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// aptGet is one run of apt-get, or of apt.
type aptGet struct {
	*call
	quiet                                 int
	yes, simulate, purge, reinstall       bool
	recommends, noRemove, downgrade, held bool
	autoremove, onlyUpgrade, anyError     bool
	lockTimeout                           time.Duration
	list, parts                           string // of sources
	cleanup                               bool
	operands                              []string
}

// aptOptions are those that change nothing here.
var aptOptions = []string{"dpkg::options::", "debug::", "acquire::", "apt::color", "dpkg::progress-fancy", "dpkg::use-pty", "apt::periodic", "binary::", "apt::sandbox::user"}

func aptGetCommand(ctx context.Context, c *call) int {
	a := &aptGet{call: c, recommends: true, list: sourcesList, parts: sourceParts, cleanup: true}
	if code := a.parse(); code != 0 {
		return code
	}
	if len(a.operands) == 0 {
		return a.fail(100, "no operation was given: apt-get [options] install|remove|update...")
	}
	verb := a.operands[0]
	a.operands = a.operands[1:]
	do := map[string]func(context.Context) int{
		"update": a.update, "install": a.install, "remove": a.remove, "purge": a.remove, "autoremove": a.remove, "autopurge": a.remove,
		"upgrade": a.upgrade, "dist-upgrade": a.upgrade, "full-upgrade": a.upgrade,
		"clean": a.nothing, "autoclean": a.nothing, "check": a.nothing,
	}[verb]
	if do == nil && c.name() == "apt" && slices.Contains([]string{"list", "show", "policy", "search"}, verb) {
		return aptCacheCommand(ctx, c)
	}
	if do == nil {
		return c.notSimulated(verb)
	}
	a.purge = a.purge || verb == "purge" || verb == "autopurge"
	a.autoremove = strings.HasPrefix(verb, "auto")
	if verb == "update" {
		return do(ctx)
	}
	if !a.simulate {
		unlock, code := c.lockDpkg(ctx, a.lockTimeout)
		if code != 0 {
			return code
		}
		defer unlock()
	}
	return do(ctx)
}

func (a *aptGet) nothing(context.Context) int { return 0 }

// parse reads the options, which may be anywhere.
func (a *aptGet) parse() int {
	for left := a.args[1:]; len(left) > 0; {
		arg := left[0]
		left = left[1:]
		switch {
		case arg == "--":
			a.operands = append(a.operands, left...)
			return 0
		case arg == "-o" || arg == "--option" || arg == "-c":
			if len(left) == 0 || arg == "-c" {
				return a.notSimulated(arg)
			}
			if !a.set(left[0]) {
				return a.notSimulated("-o " + left[0])
			}
			left = left[1:]
		case strings.HasPrefix(arg, "-o") && strings.Contains(arg, "="):
			if !a.set(arg[2:]) {
				return a.notSimulated(arg)
			}
		case strings.HasPrefix(arg, "-") && !a.flag(arg):
			return a.notSimulated("option " + arg)
		case !strings.HasPrefix(arg, "-"):
			a.operands = append(a.operands, arg)
		}
	}
	return 0
}

func (a *aptGet) flag(arg string) bool {
	switch arg {
	case "--assume-yes", "--yes", "--force-yes":
		a.yes = true
	case "--simulate", "--dry-run", "--just-print", "--no-act":
		a.simulate = true
	case "--no-remove":
		a.noRemove = true
	case "--no-install-recommends":
		a.recommends = false
	case "--install-recommends":
		a.recommends = true
	case "--allow-downgrades":
		a.downgrade = true
	case "--allow-change-held-packages":
		a.held = true
	case "--purge":
		a.purge = true
	case "--reinstall":
		a.reinstall = true
	case "--only-upgrade":
		a.onlyUpgrade = true
	case "--auto-remove", "--autoremove":
		a.autoremove = true
	case "--quiet", "--fix-broken", "--fix-missing", "--verbose-versions", "--show-upgraded", "--no-show-upgraded":
	default:
		return !strings.HasPrefix(arg, "--") && strings.Trim(arg[1:], "qysmfVu=012") == "" && a.letters(arg[1:])
	}
	return true
}

func (a *aptGet) letters(all string) bool {
	for _, r := range all {
		switch r {
		case 'y':
			a.yes = true
		case 's':
			a.simulate = true
		case 'q':
			a.quiet++
		}
	}
	return true
}

// set is an option of apt's configuration.
func (a *aptGet) set(arg string) bool {
	name, value, _ := strings.Cut(arg, "=")
	switch lower := strings.ToLower(name); lower {
	case "dpkg::lock::timeout":
		n, err := strconv.Atoi(value)
		a.lockTimeout = time.Duration(n) * time.Second
		return err == nil
	case "apt::update::error-mode":
		a.anyError = value == "any"
	case "dir::etc::sourcelist":
		a.list = value
	case "dir::etc::sourceparts":
		a.parts = value
	case "apt::get::list-cleanup":
		a.cleanup = value != "0" && value != "false"
	case "apt::install-recommends":
		a.recommends = value != "0" && value != "false"
	case "apt::get::assume-yes":
		a.yes = value != "0" && value != "false"
	default:
		return slices.ContainsFunc(aptOptions, func(known string) bool { return strings.HasPrefix(lower, known) })
	}
	return true
}

// errorf prints one of apt's errors.
func (c *call) aptError(format string, args ...any) int {
	c.flush()
	fmt.Fprintf(c.stderr, "E: "+format+"\n", args...)
	return 100
}

// lockDpkg takes dpkg's lock, as every program that changes packages does.
func (c *call) lockDpkg(ctx context.Context, wait time.Duration) (unlock func(), code int) {
	h, err := c.fs.Open(dpkgFront, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		c.aptError("Could not open lock file %s - open (13: Permission denied)", dpkgFront)
		return nil, c.aptError("Unable to acquire the dpkg frontend lock (%s), are you root?", dpkgFront)
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err = h.Lock(limited, c.proc.pid, true, true, wait == 0); err != nil {
		h.Close()
		c.aptError("Could not get lock %s. It is held by another process", dpkgFront)
		return nil, c.aptError("Unable to acquire the dpkg frontend lock (%s), is another process using it?", dpkgFront)
	}
	return func() { h.Close() }, 0
}

// plan begins a plan with what is there.
func (a *aptGet) plan() (*aptPlan, int) {
	d, err := a.sys.openDpkg()
	if err != nil {
		return nil, a.aptError("%s", reason(err))
	}
	p := newAptPlan(d)
	p.recommends = a.recommends
	if p.lists, err = a.sys.openLists(); err != nil {
		a.aptError("%s", err)
		return nil, a.aptError("The list of sources could not be read.")
	}
	p.auto = a.sys.readAuto()
	if a.quiet < 2 {
		a.printf("Reading package lists...\nBuilding dependency tree...\nReading state information...\n")
	}
	return p, 0
}

// install is apt-get install.
func (a *aptGet) install(ctx context.Context) int {
	p, code := a.plan()
	if code != 0 {
		return code
	}
	var wanted []*pkg
	for _, arg := range a.operands {
		q, code := a.resolve(p, arg)
		if code != 0 {
			return code
		}
		if q == nil {
			continue
		}
		i := p.d.all[q.name]
		p.asked[q.name] = true
		switch {
		case i.is() && i.version == q.version && !a.reinstall:
			if !strings.Contains(arg, "=") {
				a.printf("%s is already the newest version (%s).\n", q.name, q.version)
			} else {
				a.printf("%s is already the newest version (%s).\n", q.name, i.version)
			}
			if p.auto[q.name] {
				a.printf("%s set to manually installed.\n", q.name)
			}
		case i.is() || !a.onlyUpgrade:
			wanted = append(wanted, q)
		}
		delete(p.auto, q.name)
	}
	for _, q := range wanted { // all of them before what they need: it gives way to them
		p.install[q.name] = q
	}
	for _, q := range wanted {
		delete(p.install, q.name)
		p.want(q)
	}
	return a.finish(ctx, p)
}

// resolve finds the package that an argument means.
func (a *aptGet) resolve(p *aptPlan, arg string) (*pkg, int) {
	name, version, given := strings.Cut(arg, "=")
	name, _, _ = strings.Cut(name, ":")
	if strings.Contains(name, "/") {
		return nil, a.notSimulated("install " + arg)
	}
	known := p.lists.versions(name)
	if i := p.d.all[name]; i.is() {
		if q := p.d.cat.find(name, i.version); q != nil && !slices.Contains(known, q) {
			known = append(known, q)
		}
	}
	if given {
		for _, q := range known {
			if q.version == version {
				return q, 0
			}
		}
		if len(known) > 0 {
			return nil, a.aptError("Version '%s' for '%s' was not found", version, name)
		}
	}
	if len(known) > 0 {
		return known[0], 0
	}
	var by []string
	for _, q := range p.d.cat.provides[name] {
		if len(p.lists.versions(q.name)) > 0 {
			by = append(by, q.name)
		}
	}
	switch len(by) {
	case 0:
		return nil, a.aptError("Unable to locate package %s%s", name, a.catalogueHint(p))
	case 1:
		a.printf("Note, selecting '%s' instead of '%s'\n", by[0], name)
		return p.lists.candidate(by[0]), 0
	}
	a.printf("Package %s is a virtual package provided by:\n  %s\n", name, strings.Join(by, "\n  "))
	return nil, a.aptError("Package '%s' has no installation candidate", name)
}

// catalogueHint says that there are not many packages, where that may be why one is not
// found.
func (a *aptGet) catalogueHint(p *aptPlan) string {
	if len(p.lists.has) == 0 {
		return ""
	}
	return "\nN: swarmscript lab: the packages of a lab are few: apt-cache pkgnames lists them"
}

// remove is apt-get remove, purge, autoremove and autopurge.
func (a *aptGet) remove(ctx context.Context) int {
	p, code := a.plan()
	if code != 0 {
		return code
	}
	for _, arg := range a.operands {
		name, _, _ := strings.Cut(arg, ":")
		name = strings.TrimSuffix(name, "-")
		switch i := p.d.all[name]; {
		case i.is() || i != nil && a.purge && i.state == "config-files":
			p.drop(name)
		case i == nil && len(p.d.cat.packages[name]) == 0:
			return a.aptError("Unable to locate package %s", name)
		default:
			a.printf("Package '%s' is not installed, so not removed\n", name)
		}
	}
	for name := range p.remove {
		if q := p.d.info(name); q != nil && q.essential {
			a.printf("WARNING: The following essential packages will be removed.\nThis should NOT be done unless you know exactly what you are doing!\n  %s\n", name)
			return a.aptError("Essential packages were removed and -y was used without --allow-remove-essential.")
		}
	}
	if a.autoremove {
		for _, name := range p.unneeded() {
			p.remove[name] = true
		}
	}
	return a.finish(ctx, p)
}

// upgrade is apt-get upgrade and dist-upgrade.
func (a *aptGet) upgrade(ctx context.Context) int {
	p, code := a.plan()
	if code != 0 {
		return code
	}
	for _, name := range sortedKeys(p.d.all) {
		i, c := p.d.all[name], p.lists.candidate(name)
		if i.is() && !i.held() && c != nil && debianOrder(c.version, i.version) > 0 {
			p.want(c)
		}
	}
	return a.finish(ctx, p)
}

// finish shows a plan and carries it out.
func (a *aptGet) finish(ctx context.Context, p *aptPlan) int {
	if len(p.problems) > 0 {
		a.printf("Some packages could not be installed. This may mean that you have\nrequested an impossible situation.\nThe following packages have unmet dependencies:\n%s\n", strings.Join(p.problems, "\n"))
		return a.aptError("Unable to correct problems, you have held broken packages.")
	}
	fresh, up, down, gone := p.sorted()
	if len(fresh)+len(up)+len(down)+len(gone) > 0 || a.quiet < 2 {
		a.show(p, fresh, up, down, gone)
	}
	switch {
	case len(gone) > 0 && a.noRemove:
		return a.aptError("Packages need to be removed but remove is disabled.")
	case len(down) > 0 && a.yes && !a.downgrade:
		return a.aptError("Packages were downgraded and -y was used without --allow-downgrades.")
	case a.yes && !a.held && p.changesHeld():
		return a.aptError("Held packages were changed and -y was used without --allow-change-held-packages.")
	case a.simulate:
		a.print(p, gone)
		return 0
	}
	if extra := len(fresh)+len(up)+len(down)+len(gone) > len(p.asked); (extra || len(gone) > 0) && !a.yes {
		a.printf("Do you want to continue? [Y/n] ")
		a.flush()
		line, _ := bufio.NewReader(a.stdin).ReadString('\n')
		if !strings.HasPrefix(strings.ToLower(cmp.Or(strings.TrimSpace(line), map[bool]string{true: "y"}[line == "\n"])), "y") {
			a.printf("Abort.\n")
			return 1
		}
	}
	for name := range p.install {
		if !p.asked[name] && !p.d.all[name].is() {
			p.auto[name] = true
		}
	}
	begun := time.Now()
	if code := a.carryOut(ctx, p, a.purge); code != 0 {
		return code
	}
	a.history(begun, fresh, up, down, gone)
	if err := a.sys.writeAuto(p); err != nil {
		return a.aptError("%s", reason(err))
	}
	return 0
}

func (p *aptPlan) changesHeld() bool {
	for name, i := range p.d.all {
		if i.held() && i.is() && (p.install[name] != nil || p.remove[name]) {
			return true
		}
	}
	return false
}

const extendedStates = "/var/lib/apt/extended_states"

// readAuto returns the packages that nobody asked for.
func (s *System) readAuto() map[string]bool {
	auto := map[string]bool{}
	text, err := s.fs.Root().ReadFile(extendedStates)
	if err != nil {
		return auto
	}
	for _, st := range stanzas(string(text)) {
		if st.get("Auto-Installed") == "1" {
			auto[st.get("Package")] = true
		}
	}
	return auto
}

// writeAuto keeps which packages nobody asked for.
func (s *System) writeAuto(p *aptPlan) error {
	var b strings.Builder
	for _, name := range sortedKeys(p.auto) {
		if p.auto[name] && p.d.all[name].is() {
			fmt.Fprintf(&b, "Package: %s\nArchitecture: %s\nAuto-Installed: 1\n\n", name, p.d.all[name].arch)
		}
	}
	if b.Len() == 0 && !s.fs.Root().Exists(extendedStates) {
		return nil
	}
	return s.fs.Root().WriteFile(extendedStates, []byte(b.String()), 0o644)
}
