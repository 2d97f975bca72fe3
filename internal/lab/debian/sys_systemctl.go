package debian

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// systemctl is one run of it.
type systemctl struct {
	*call
	m                             *units
	quiet, now, value, all, plain bool
	properties                    []string
	lines                         int
	kinds, states                 []string
	signal                        string
}

func systemctlCommand(ctx context.Context, c *call) int {
	opts, operands, bad, ok := c.options("qp:aln:t:s:f", "quiet", "now", "property=", "value", "no-pager", "all", "full", "lines=", "no-legend", "plain", "type=", "state=", "no-block", "force", "signal=", "no-ask-password", "system", "no-reload", "failed", "no-warn")
	if !ok {
		return bad
	}
	s := &systemctl{call: c, m: c.sys.units, lines: 10, signal: "TERM"}
	for _, o := range opts {
		switch o.name {
		case "q", "quiet":
			s.quiet = true
		case "now":
			s.now = true
		case "p", "property":
			s.properties = append(s.properties, strings.Split(o.value, ",")...)
		case "value":
			s.value = true
		case "a", "all":
			s.all = true
		case "n", "lines":
			fmt.Sscan(o.value, &s.lines)
		case "no-legend", "plain":
			s.plain = true
		case "t", "type":
			s.kinds = strings.Split(o.value, ",")
		case "state":
			s.states = strings.Split(o.value, ",")
		case "failed":
			s.states = []string{"failed"}
		case "s", "signal":
			s.signal = o.value
		}
	}
	if len(operands) == 0 {
		operands = []string{"list-units"}
	}
	return s.verb(ctx, operands[0], operands[1:])
}

// changing are the verbs that only root may use.
var changing = []string{"start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "try-reload-or-restart", "enable", "disable", "reenable", "mask", "unmask",
	"reset-failed", "daemon-reload", "daemon-reexec", "kill", "preset", "reboot", "poweroff", "halt"}

func (s *systemctl) verb(ctx context.Context, verb string, names []string) int {
	for i := range names {
		names[i] = unitName(names[i])
	}
	if slices.Contains(changing, verb) && s.proc.who.UID != 0 {
		return s.say(1, "Failed to %s: Interactive authentication required.", verb+strings.Join(append([]string{""}, names...), " "))
	}
	each := map[string]func(context.Context, string) error{
		"start": s.start, "stop": s.stop, "restart": s.m.restart, "reload": s.m.reloadUnit,
		"try-restart":           s.running(s.m.restart),
		"reload-or-restart":     s.reloadOrRestart,
		"try-reload-or-restart": s.running(s.reloadOrRestart),
		"enable":                s.enable, "disable": s.disable, "mask": s.mask,
		"reenable":     func(ctx context.Context, name string) error { return errors.Join(s.m.disable(name), s.m.enable(name)) },
		"unmask":       func(_ context.Context, name string) error { return s.m.unmask(name) },
		"reset-failed": func(_ context.Context, name string) error { s.m.resetFailed(name); return nil },
		"kill":         s.killUnit,
	}[verb]
	switch {
	case verb == "reset-failed" && len(names) == 0:
		s.m.resetFailed("")
		return 0
	case each != nil && len(names) == 0:
		return s.say(1, "Too few arguments.")
	case each != nil:
		return s.each(ctx, names, each)
	}
	switch verb {
	case "daemon-reload", "daemon-reexec":
		s.m.reload()
		return 0
	case "is-active", "is-failed", "is-enabled":
		return s.ask(verb, names)
	case "show":
		return s.show(names)
	case "status":
		return s.status(names)
	case "cat":
		return s.cat(names)
	case "list-units", "list-unit-files", "list-timers":
		return s.list(verb, names)
	case "is-system-running":
		return s.isRunning()
	case "get-default":
		s.printf("multi-user.target\n")
		return 0
	case "reboot", "poweroff", "halt":
		return s.sys.leaveNow(verb == "reboot")
	}
	return s.notSimulated(verb)
}

// say prints a message of systemctl's, which has no name before it.
func (s *systemctl) say(code int, format string, args ...any) int {
	s.flush()
	fmt.Fprintf(s.stderr, format+"\n", args...)
	return code
}

func (s *systemctl) each(ctx context.Context, names []string, do func(context.Context, string) error) int {
	code := 0
	for _, name := range names {
		err := do(ctx, name)
		var said *unitError
		switch {
		case errors.As(err, &said):
			code = s.say(said.code, "%s", said.msg)
		case err != nil:
			code = s.say(1, "%s", reason(err))
		}
	}
	return code
}

func (s *systemctl) start(ctx context.Context, name string) error { return s.m.start(ctx, name) }

func (s *systemctl) stop(ctx context.Context, name string) error {
	err := s.m.stop(ctx, name)
	if socket := strings.TrimSuffix(name, ".service") + ".socket"; err == nil && strings.HasSuffix(name, ".service") && s.m.state(socket).active == "active" {
		s.say(0, "Stopping '%s', but its triggering units are still active:\n%s", name, socket)
	}
	return err
}

// running does something to units that run.
func (s *systemctl) running(do func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, name string) error {
		if !s.m.state(name).running() {
			return nil
		}
		return do(ctx, name)
	}
}

func (s *systemctl) reloadOrRestart(ctx context.Context, name string) error {
	if u := s.m.state(name); u.running() && u.reloads() {
		return s.m.reloadUnit(ctx, name)
	}
	return s.m.restart(ctx, name)
}

func (s *systemctl) enable(ctx context.Context, name string) error {
	links := s.m.enableLinks(name)
	root := s.sys.fs.Root()
	var fresh []string
	for _, l := range links {
		if !root.lexists(l) {
			fresh = append(fresh, l)
		}
	}
	if err := s.m.enable(name); err != nil {
		return err
	}
	file, _, _ := s.sys.findUnit(name)
	for _, l := range fresh {
		if !s.quiet {
			s.say(0, "Created symlink %s → %s.", l, file)
		}
	}
	if len(links) == 0 && !s.quiet {
		s.say(0, "The unit files have no installation config (WantedBy=, RequiredBy=, UpheldBy=,\nAlso=, or Alias= settings in the [Install] section). This means they are not\nmeant to be enabled or disabled using systemctl.")
	}
	s.m.reload()
	if s.now {
		return s.m.start(ctx, name)
	}
	return nil
}

func (s *systemctl) disable(ctx context.Context, name string) error {
	if file, _, _ := s.sys.findUnit(name); file == "" && s.m.fileState(name) == "" {
		return unitErrorf(1, "Failed to disable unit: Unit file %s does not exist.", name)
	}
	root := s.sys.fs.Root()
	for _, l := range s.m.enableLinks(name) {
		if root.lexists(l) && !s.quiet {
			s.say(0, "Removed \"%s\".", l)
		}
	}
	if err := s.m.disable(name); err != nil {
		return err
	}
	s.m.reload()
	if s.now {
		return s.m.stop(ctx, name)
	}
	return nil
}

func (s *systemctl) mask(ctx context.Context, name string) error {
	if err := s.m.mask(name); err != nil {
		return err
	}
	if !s.quiet {
		s.say(0, "Created symlink %s/%s → /dev/null.", unitLinks, name)
	}
	if s.now {
		if err := s.m.stop(ctx, name); err != nil {
			return err
		}
	}
	s.m.reload()
	return nil
}

func (s *systemctl) killUnit(_ context.Context, name string) error {
	n, ok := signalNumber(s.signal)
	u := s.m.state(name)
	if !ok || u.pid == 0 {
		return unitErrorf(1, "Failed to kill unit %s: No process to kill", name)
	}
	return s.sys.kill(u.pid, n)
}

// ask is is-active and its like: each prints a word, and one that is so is enough.
func (s *systemctl) ask(verb string, names []string) int {
	code := 1
	if verb == "is-active" {
		code = 3
	}
	for _, name := range names {
		u := s.m.state(name)
		word, yes := u.active, u.running()
		switch verb {
		case "is-failed":
			yes = u.active == "failed"
		case "is-enabled":
			word = u.fileState
			yes = slices.Contains([]string{"enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "transient"}, word)
			if word == "" {
				if s.sys.cfg.Image == "debian-12" {
					s.say(0, "Failed to get unit file state for %s: No such file or directory", name)
					continue
				}
				word, code = "not-found", 4
			}
		}
		if yes {
			code = 0
		}
		if !s.quiet {
			s.printf("%s\n", word)
		}
	}
	return code
}

// systemdRun is systemd-run: a service, and perhaps a timer before it, that are there
// for once.
func systemdRun(ctx context.Context, c *call) int {
	opts, words, bad, ok := c.optionsFirst("qp:u:Gt", "quiet", "unit=", "on-active=", "on-boot=", "timer-property=", "property=", "collect", "description=", "no-block", "wait", "uid=", "setenv=")
	if !ok {
		return bad
	}
	if c.proc.who.UID != 0 {
		return c.fail(1, "Failed to start transient unit: Interactive authentication required.")
	}
	if len(words) == 0 {
		return c.fail(1, "Command line to execute required.")
	}
	file := unitFile{values: map[string][]string{}}
	timer := unitFile{values: map[string][]string{}}
	name, quiet, wait := fmt.Sprintf("run-u%d", c.proc.pid), false, false
	for _, o := range opts {
		switch o.name {
		case "q", "quiet":
			quiet = true
		case "u", "unit":
			name = strings.TrimSuffix(o.value, ".service")
		case "on-active":
			timer.values["Timer.OnActiveSec"] = []string{o.value}
		case "on-boot":
			timer.values["Timer.OnBootSec"] = []string{o.value}
		case "p", "property":
			k, v, _ := strings.Cut(o.value, "=")
			file.values["Service."+k] = append(file.values["Service."+k], v)
		case "uid":
			file.values["Service.User"] = []string{o.value}
		case "setenv":
			file.values["Service.Environment"] = append(file.values["Service.Environment"], o.value)
		case "wait":
			wait = true
		case "t":
			return c.notSimulated("option -t")
		}
	}
	m := c.sys.units
	if u := m.state(name + ".service"); u.load != "not-found" && !u.transient || u.active != "inactive" || m.state(name+".timer").active == "active" {
		return c.fail(1, "Failed to start transient service unit: Unit %s.service was already loaded or has a fragment file.", name)
	}
	m.transient(name+".service", file, words)
	if len(timer.values) == 0 {
		return c.runTransient(ctx, name, quiet, wait)
	}
	m.transient(name+".timer", timer, nil)
	if err := m.start(ctx, name+".timer"); err != nil {
		return c.fail(1, "%s", reason(err))
	}
	if !quiet {
		fmt.Fprintf(c.stderr, "Running timer as unit: %s.timer\nWill run service as unit: %s.service\n", name, name)
	}
	return 0
}

func (c *call) runTransient(ctx context.Context, name string, quiet, wait bool) int {
	if wait {
		return c.notSimulated("option --wait")
	}
	if !quiet {
		fmt.Fprintf(c.stderr, "Running as unit: %s.service\n", name)
	}
	if err := c.sys.units.start(ctx, name+".service"); err != nil {
		return c.fail(1, "%s", reason(err))
	}
	return 0
}

// transient adds a unit that has no file.
func (m *units) transient(name string, f unitFile, words []string) {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "%", "%%", "$", "$$").Replace(w) + `"`
	}
	if len(quoted) > 0 {
		f.values["Service.ExecStart"] = []string{strings.Join(quoted, " ")}
	}
	f.path = "/run/systemd/transient/" + name
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[name] = &unit{name: name, file: f, load: "loaded", active: "inactive", sub: "dead", result: "success", transient: true, job: make(chan struct{}, 1)}
}
