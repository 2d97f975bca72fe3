package debian

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// sudoRules are what /etc/sudoers and the files it includes say of one account.
type sudoRules struct {
	allowed    bool
	noPassword bool
	commands   []string // nil: all
	lecture    bool
	needsTTY   bool
}

// sudoRules reads them; of several rules that fit, the last one counts.
func (s *System) sudoRules(who Account) sudoRules {
	var r sudoRules
	if who.UID == 0 {
		return sudoRules{allowed: true, noPassword: true}
	}
	for _, line := range s.sudoers() {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if to, ok := strings.CutPrefix(fields[0], "Defaults"); ok {
			if to == "" || to == ":"+who.Name {
				r.defaults(strings.Join(fields[1:], " "))
			}
			continue
		}
		if s.sudoMatches(fields[0], who) {
			r.rule(strings.Join(fields[1:], " "))
		}
	}
	return r
}

func (r *sudoRules) defaults(list string) {
	for _, d := range strings.Split(list, ",") {
		switch strings.ReplaceAll(strings.TrimSpace(d), " ", "") {
		case "requiretty":
			r.needsTTY = true
		case "!requiretty":
			r.needsTTY = false
		case "lecture=always", "lecture":
			r.lecture = true
		case "!authenticate":
			r.noPassword = true
		}
	}
}

// rule takes "ALL=(ALL:ALL) NOPASSWD: /usr/bin/x, /usr/bin/y".
func (r *sudoRules) rule(spec string) {
	_, spec, ok := strings.Cut(spec, "=")
	if !ok {
		return
	}
	spec = strings.TrimSpace(spec)
	if strings.HasPrefix(spec, "(") {
		_, spec, _ = strings.Cut(spec, ")")
	}
	r.allowed, r.noPassword, r.commands = true, false, nil
	for _, cmd := range strings.Split(spec, ",") {
		cmd = strings.TrimSpace(cmd)
		for _, tag := range []string{"NOPASSWD:", "PASSWD:", "SETENV:", "NOEXEC:"} {
			if rest, ok := strings.CutPrefix(cmd, tag); ok {
				if tag != "SETENV:" && tag != "NOEXEC:" {
					r.noPassword = tag == "NOPASSWD:"
				}
				cmd = strings.TrimSpace(rest)
			}
		}
		if cmd == "ALL" {
			r.commands = nil
			return
		}
		r.commands = append(r.commands, cmd)
	}
}

// sudoers are the lines of the files, without comments.
func (s *System) sudoers() []string {
	var lines []string
	add := func(file string) {
		for _, line := range s.lines(file) {
			line = strings.TrimSpace(line)
			if line != "" && (!strings.HasPrefix(line, "#") || strings.HasPrefix(line, "#include")) {
				lines = append(lines, line)
			}
		}
	}
	add("/etc/sudoers")
	for i := 0; i < len(lines); i++ {
		dir, ok := strings.CutPrefix(strings.TrimLeft(lines[i], "@#"), "includedir ")
		if !ok {
			continue
		}
		list, err := s.fs.Root().ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range list {
			if !strings.ContainsAny(e.Name, ".~") {
				add(dir + "/" + e.Name)
			}
		}
	}
	return lines
}

func (s *System) sudoMatches(spec string, who Account) bool {
	for _, name := range strings.Split(spec, ",") {
		if g, ok := strings.CutPrefix(name, "%"); ok {
			if found, ok := s.group(g); ok && who.in(found.gid) {
				return true
			}
		} else if name == who.Name || name == "ALL" || name == "#"+strconv.Itoa(int(who.UID)) {
			return true
		}
	}
	return false
}

// sudoOptions are those of one call.
type sudoOptions struct {
	prompt                string
	never, stdin          bool
	login, shell          bool
	keepEnv, home         bool
	validate, list, reset bool
	user                  string
}

func sudoProgram(ctx context.Context, c *call) int {
	opts, rest, bad, ok := c.optionsFirst("nSp:u:g:EHisbkKvlA", "non-interactive", "stdin", "prompt=", "user=", "preserve-env", "set-home", "login", "shell", "validate", "list", "reset-timestamp")
	if !ok {
		return bad
	}
	o := sudoOptions{user: "root", prompt: "[sudo] password for " + c.fs.Who.Name + ": "}
	for _, opt := range opts {
		switch opt.name {
		case "n", "non-interactive":
			o.never = true
		case "S", "stdin":
			o.stdin = true
		case "p", "prompt":
			o.prompt = opt.value
		case "u", "user":
			o.user = opt.value
		case "E", "preserve-env":
			o.keepEnv = true
		case "H", "set-home":
			o.home = true
		case "i", "login":
			o.login = true
		case "s", "shell":
			o.shell = true
		case "v", "validate":
			o.validate = true
		case "l", "list":
			o.list = true
		case "k", "K", "reset-timestamp":
			o.reset = true
		default:
			return c.notSimulated("option -" + opt.name)
		}
	}
	return c.sudo(ctx, o, rest)
}

func (c *call) sudo(ctx context.Context, o sudoOptions, args []string) int {
	to, ok := c.sys.account(strings.TrimPrefix(o.user, "#"))
	if !ok {
		return c.fail(1, "unknown user %s", o.user)
	}
	rules := c.sys.sudoRules(c.fs.Who)
	if rules.needsTTY {
		return c.fail(1, "sorry, you must have a tty to run sudo")
	}
	if !rules.noPassword {
		if code := c.sudoPassword(o, rules); code != 0 {
			return code
		}
	}
	switch {
	case !rules.allowed:
		fmt.Fprintf(c.stderr, "%s is not in the sudoers file.\n", c.fs.Who.Name)
		return 1
	case o.validate || o.reset && len(args) == 0:
		return 0
	case o.list:
		c.printf("User %s may run the following commands on %s:\n    (ALL : ALL) %s\n", c.fs.Who.Name, c.sys.hostname(), strings.Join(append([]string{}, rules.commands...), ", ")+map[bool]string{true: "ALL"}[rules.commands == nil])
		return 0
	}
	return c.sudoRun(ctx, o, rules, to, args)
}

func (c *call) sudoRun(ctx context.Context, o sudoOptions, rules sudoRules, to Account, args []string) int {
	env := c.sudoEnv(o, to, args)
	if o.login || o.shell {
		sh := []string{to.Shell}
		if !o.login && c.getenv("SHELL") != "" {
			sh[0] = c.getenv("SHELL")
		}
		if len(args) > 0 {
			words := make([]string, len(args))
			for i, a := range args {
				words[i] = quoteWord(a)
			}
			sh = append(sh, "-c", strings.Join(words, " "))
		}
		args = sh
	}
	for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "/") {
		name, value, _ := strings.Cut(args[0], "=")
		env, args = setEnv(env, name, value), args[1:]
	}
	if len(args) == 0 {
		return c.fail(1, "usage: sudo [-nS] [-p prompt] [-u user] [--] command")
	}
	child := c.fs
	child.Who = to
	if o.login {
		child.Dir = to.Home
	}
	file, err := lookPath(child, rootPath, args[0])
	if err != nil {
		return c.fail(1, "%s: command not found", args[0])
	}
	if rules.commands != nil && !slices.Contains(rules.commands, file) && !slices.Contains(rules.commands, file+" "+strings.Join(args[1:], " ")) {
		fmt.Fprintf(c.stderr, "Sorry, user %s is not allowed to execute '%s' as %s on %s.\n", c.getenv("USER"), strings.Join(args, " "), to.Name, c.sys.hostname())
		return 1
	}
	next := c.sys.newCall(child, args, env, c.fds)
	return c.sys.start(ctx, next, c.proc.pid, file)
}

// sudoEnv is the environment of what sudo runs: a few variables of the caller's.
func (c *call) sudoEnv(o sudoOptions, to Account, args []string) []string {
	var env []string
	for _, kv := range c.env {
		name, _, _ := strings.Cut(kv, "=")
		if o.keepEnv || name == "TERM" || name == "LANG" || strings.HasPrefix(name, "LC_") || name == "DISPLAY" || name == "COLORTERM" {
			env = append(env, kv)
		}
	}
	for _, kv := range [][2]string{
		{"PATH", rootPath}, {"HOME", to.Home}, {"MAIL", "/var/mail/" + to.Name}, {"LOGNAME", to.Name}, {"USER", to.Name}, {"SHELL", to.Shell},
		{"SUDO_COMMAND", strings.Join(args, " ")}, {"SUDO_USER", c.fs.Who.Name}, {"SUDO_UID", strconv.Itoa(int(c.fs.Who.UID))}, {"SUDO_GID", strconv.Itoa(int(c.fs.Who.GID))},
	} {
		env = setEnv(env, kv[0], kv[1])
	}
	return env
}

// sudoPassword asks for the password, three times.
func (c *call) sudoPassword(o sudoOptions, rules sudoRules) int {
	if o.never {
		return c.fail(1, "a password is required")
	}
	if !o.stdin {
		c.warnf("a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper")
		return c.fail(1, "a password is required")
	}
	if rules.lecture {
		io.WriteString(c.stderr, "\nWe trust you have received the usual lecture from the local System\nAdministrator. It usually boils down to these three things:\n\n    #1) Respect the privacy of others.\n    #2) Think before you type.\n    #3) With great power comes great responsibility.\n\n")
	}
	for try := 1; ; try++ {
		io.WriteString(c.stderr, strings.ReplaceAll(strings.ReplaceAll(o.prompt, "%p", c.fs.Who.Name), "%u", c.fs.Who.Name))
		line, err := readInputLine(c.stdin)
		switch {
		case err != nil && line == "" && try == 1:
			return c.fail(1, "no password was provided")
		case c.sys.CheckPassword(c.fs.Who.Name, line):
			return 0
		case try == 3 || err != nil:
			return c.fail(1, "%d incorrect password attempt%s", try, map[bool]string{true: "s"}[try > 1])
		}
		io.WriteString(c.stderr, "Sorry, try again.\n")
	}
}

// readInputLine reads a line, and no byte after it.
func readInputLine(r io.Reader) (string, error) {
	var line []byte
	var b [1]byte
	for {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return string(line), err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}
