package debian

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// fail2ban has jails, and bans nobody: there are no attackers in a lab.

// jailFiles are its files in the order in which they count.
func (s *System) jailFiles() []string {
	root := s.fs.Root()
	files := []string{"/etc/fail2ban/jail.conf"}
	entries, _ := root.ReadDir("/etc/fail2ban/jail.d")
	for _, kind := range []string{".conf", ".local"} {
		for _, e := range entries {
			if strings.HasSuffix(e.Name, kind) {
				files = append(files, "/etc/fail2ban/jail.d/"+e.Name)
			}
		}
		if kind == ".conf" {
			files = append(files, "/etc/fail2ban/jail.local")
		}
	}
	return files
}

// readJails reads the jails, with their options; DEFAULT is one.
func (s *System) readJails() (jails map[string]map[string]string, problem string) {
	jails = map[string]map[string]string{"DEFAULT": {}}
	for _, file := range s.jailFiles() {
		text, err := s.fs.Root().ReadFile(file)
		if err != nil {
			continue
		}
		section, n := "", 0
		for line := range strings.Lines(string(text)) {
			n++
			line = strings.TrimRight(line, " \t\r\n")
			trimmed := strings.TrimSpace(line)
			k, v, isOption := strings.Cut(trimmed, "=")
			switch {
			case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' || line[0] == ' ' || line[0] == '\t':
			case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
				if section = trimmed[1 : len(trimmed)-1]; jails[section] == nil {
					jails[section] = map[string]string{}
				}
			case section == "":
				return nil, fmt.Sprintf("Error in config: File contains no section headers.\nfile: '%s', line: %d\n%q", file, n, trimmed)
			case !isOption:
				return nil, fmt.Sprintf("Error in config: Source contains parsing errors: '%s'\n\t[line %2d]: %q", file, n, trimmed)
			default:
				jails[section][strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
			}
		}
	}
	return jails, ""
}

// option is one of a jail's, or of all.
func jailOption(jails map[string]map[string]string, name, option string) string {
	if v, ok := jails[name][option]; ok {
		return v
	}
	return jails["DEFAULT"][option]
}

// checkJails returns the jails that are on, and what is wrong with them.
func (s *System) checkJails() (on []string, problems []string) {
	jails, problem := s.readJails()
	if problem != "" {
		return nil, []string{problem}
	}
	root := s.fs.Root()
	_, journal := s.isInstalled("python3-systemd")
	for _, name := range sortedKeys(jails) {
		if name == "DEFAULT" || name == "INCLUDES" || jailOption(jails, name, "enabled") != "true" {
			continue
		}
		on = append(on, name)
		filter := jailOption(jails, name, "filter")
		if filter == "" || filter == "%(__name__)s" {
			filter = name
		}
		filter, _, _ = strings.Cut(filter, "[")
		action, _, _ := strings.Cut(jailOption(jails, name, "banaction"), "[")
		bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
		backend, log := jailOption(jails, name, "backend"), jailOption(jails, name, "logpath")
		switch {
		case !root.Exists("/etc/fail2ban/filter.d/" + filter + ".conf"):
			bad("Found no accessible config files for 'filter.d/%s' under /etc/fail2ban\nUnable to read the filter '%s'\nErrors in jail '%s'. Skipping...", filter, filter, name)
		case action != "" && !root.Exists("/etc/fail2ban/action.d/"+action+".conf"):
			bad("Found no accessible config files for 'action.d/%s' under /etc/fail2ban\nError in action definition '%s'\nErrors in jail '%s'. Skipping...", action, action, name)
		case backend == "systemd" && !journal:
			bad("Backend 'systemd' failed to initialize due to No module named 'systemd'\nFailed to initialize any backend for Jail '%s'", name)
		case backend != "systemd" && (log == "" || !root.Exists(strings.Fields(log)[0])):
			bad("Failed during configuration: Have not found any log file for %s jail", name)
		}
		for _, option := range []string{"maxretry", "bantime", "findtime"} {
			if v := jailOption(jails, name, option); v != "" && !isTime(v) {
				bad("Failed during configuration: Wrong value for %s: %q", option, v)
			}
		}
	}
	return on, problems
}

// isTime reports whether fail2ban takes a text for a number, or for a time.
func isTime(text string) bool {
	text = strings.TrimPrefix(text, "-")
	return text != "" && isDigit(text[0]) && strings.Trim(text, "0123456789. abcdehikmnorstuwy+*") == ""
}

const fail2banSocket = "/run/fail2ban/fail2ban.sock"

func startFail2ban(ctx context.Context, s *System, unit string, args []string) error {
	on, problems := s.checkJails()
	s.units.log.say(unit, "fail2ban-server", "fail2ban.server: INFO Starting Fail2ban")
	if len(problems) > 0 {
		return fmt.Errorf("ERROR   %s", strings.Join(problems, "\n"))
	}
	root := s.fs.Root()
	if err := root.MkdirAll("/run/fail2ban", 0o755); err != nil {
		return err
	}
	return root.WriteFile(fail2banSocket, []byte(strings.Join(on, "\n")), 0o600)
}

func stopFail2ban(ctx context.Context, s *System, unit string) error {
	if root := s.fs.Root(); root.Exists(fail2banSocket) {
		return root.Unlink(fail2banSocket)
	}
	return nil
}

func reloadFail2ban(ctx context.Context, s *System, unit string) error {
	return startFail2ban(ctx, s, unit, nil)
}

// fail2banClient is fail2ban-client.
func fail2banClient(ctx context.Context, c *call) int {
	words := strings.Join(c.args[1:], " ")
	switch words {
	case "-t", "--test", "-d":
		if _, problems := c.sys.checkJails(); len(problems) > 0 {
			c.flush()
			for _, p := range problems {
				fmt.Fprintf(c.stderr, "ERROR   %s\n", strings.ReplaceAll(p, "\n", "\nERROR   "))
			}
			fmt.Fprintf(c.stderr, "ERROR   Configuration test failed.\n")
			return 255
		}
		c.printf("OK: configuration test is successful\n")
		return 0
	case "--version", "-V", "version":
		v, _ := c.sys.isInstalled("fail2ban")
		_, upstream, _ := splitVersion(v)
		c.printf("%s\n", upstream)
		return 0
	}
	if c.proc.who.UID != 0 {
		return c.fail2banSays("Permission denied to socket: %s, (you must be root)", fail2banSocket)
	}
	text, err := c.fs.ReadFile(fail2banSocket)
	if err != nil || !c.sys.units.state("fail2ban.service").running() {
		return c.fail2banSays("Failed to access socket path: %s. Is fail2ban running?", fail2banSocket)
	}
	jails := strings.Fields(string(text))
	switch {
	case words == "ping":
		c.printf("Server replied: pong\n")
	case words == "status":
		c.printf("Status\n|- Number of jail:\t%d\n`- Jail list:\t%s\n", len(jails), strings.Join(jails, ", "))
	case len(c.args) == 3 && c.args[1] == "status":
		if !slices.Contains(jails, c.args[2]) {
			return c.fail2banSays("Sorry but the jail '%s' does not exist", c.args[2])
		}
		c.printf("Status for the jail: %s\n|- Filter\n|  |- Currently failed:\t0\n|  |- Total failed:\t0\n|  `- Journal matches:\t\n`- Actions\n   |- Currently banned:\t0\n   |- Total banned:\t0\n   `- Banned IP list:\t\n", c.args[2])
	case len(c.args) == 4 && c.args[1] == "get":
		return c.fail2banGet(c.args[2], c.args[3])
	case words == "reload":
		if err := c.sys.units.reloadUnit(ctx, "fail2ban.service"); err != nil {
			return c.fail(1, "%s", reason(err))
		}
		c.printf("OK\n")
	default:
		return c.notSimulated(words)
	}
	return 0
}

// fail2banGet shows an option of a jail: times in seconds.
func (c *call) fail2banGet(jail, option string) int {
	jails, _ := c.sys.readJails()
	v := jailOption(jails, jail, option)
	if jails[jail] == nil || v == "" {
		return c.fail2banSays("Sorry but the jail '%s' does not exist", jail)
	}
	if d, ok := timeSpan(v); ok && (option == "bantime" || option == "findtime") {
		v = fmt.Sprint(int(d.Seconds()))
	}
	c.printf("%s\n", v)
	return 0
}

func (c *call) fail2banSays(format string, args ...any) int {
	c.flush()
	fmt.Fprintf(c.stderr, "ERROR   "+format+"\n", args...)
	return 255
}
