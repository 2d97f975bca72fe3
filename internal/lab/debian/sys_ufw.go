package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ufw's rules are in its files, which the kernel's tables are made of when it is
// enabled, reloaded or started with the machine.

const (
	ufwConf    = "/etc/ufw/ufw.conf"
	ufwDefault = "/etc/default/ufw"
)

// ufw is what a machine's ufw is set to.
type ufw struct {
	sys     *System
	enabled bool
	level   string
	policy  map[string]string // INPUT, OUTPUT, FORWARD: ACCEPT, DROP, REJECT
	rules   []ufwRule         // IPv4, then IPv6
}

func (s *System) openUFW() (*ufw, error) {
	u := &ufw{sys: s, level: "low", policy: map[string]string{}}
	root := s.fs.Root()
	conf, err1 := root.ReadFile(ufwConf)
	defaults, err2 := root.ReadFile(ufwDefault)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(conf) + "\n" + string(defaults)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		v = strings.Trim(v, `"'`)
		switch k {
		case "ENABLED":
			u.enabled = strings.EqualFold(v, "yes")
		case "LOGLEVEL":
			u.level = v
		case "DEFAULT_INPUT_POLICY", "DEFAULT_OUTPUT_POLICY", "DEFAULT_FORWARD_POLICY":
			u.policy[strings.TrimSuffix(strings.TrimPrefix(k, "DEFAULT_"), "_POLICY")] = v
		}
	}
	for _, file := range []string{"user.rules", "user6.rules"} {
		text, err := root.ReadFile("/etc/ufw/" + file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if t, ok := strings.CutPrefix(line, "### tuple ### "); ok {
				r, ok := readTuple(t)
				if !ok {
					return nil, fmt.Errorf("swarmscript lab: not simulated: the rule %q of /etc/ufw/%s", strings.TrimSpace(t), file)
				}
				u.rules = append(u.rules, r)
			}
		}
	}
	return u, nil
}

// saveRules writes the rules.
func (u *ufw) saveRules() error {
	var four, six []ufwRule
	for _, r := range u.rules {
		if r.v6() {
			six = append(six, r)
		} else {
			four = append(four, r)
		}
	}
	u.rules = slices.Concat(four, six)
	root := u.sys.fs.Root()
	return errors.Join(root.WriteFile("/etc/ufw/user.rules", []byte(ufwUserRules("ufw", four...)), 0o640), root.WriteFile("/etc/ufw/user6.rules", []byte(ufwUserRules("ufw6", six...)), 0o640))
}

// setLine replaces the value of a setting in one of ufw's files.
func (u *ufw) setLine(file, key, value string) error {
	root := u.sys.fs.Root()
	text, err := root.ReadFile(file)
	if err != nil {
		return err
	}
	var b strings.Builder
	found := false
	for line := range strings.Lines(string(text)) {
		if k, _, ok := strings.Cut(line, "="); ok && strings.TrimSpace(k) == key {
			line, found = key+"="+value+"\n", true
		}
		b.WriteString(line)
	}
	if !found {
		b.WriteString(key + "=" + value + "\n")
	}
	return root.WriteFile(file, []byte(b.String()), 0o644)
}

// load makes the kernel's tables of ufw's files.
func (u *ufw) load() error {
	u.unload()
	root := u.sys.fs.Root()
	for _, v := range []struct {
		f           *filters
		prefix, six string
	}{{u.sys.filters4, "ufw", ""}, {u.sys.filters6, "ufw6", "6"}} {
		v.f.mu.Lock()
		t := v.f.table("filter")
		for _, dir := range []string{"input", "output", "forward"} {
			builtin := t.chain(strings.ToUpper(dir))
			builtin.policy = u.policy[builtin.name]
			if builtin.policy == "REJECT" {
				builtin.policy = "DROP"
			}
			for _, name := range []string{"before-logging", "before", "after", "after-logging", "reject", "track"} {
				t.add(v.prefix + "-" + name + "-" + dir)
				builtin.rules = append(builtin.rules, "-j "+v.prefix+"-"+name+"-"+dir)
			}
			t.add(v.prefix + "-user-" + dir)
			if u.policy[builtin.name] == "REJECT" {
				t.chain(v.prefix + "-reject-" + dir).rules = []string{"-j REJECT"}
			}
		}
		v.f.mu.Unlock()
		for _, file := range []string{"before", "after", "user"} {
			name := "/etc/ufw/" + file + v.six + ".rules"
			text, err := root.ReadFile(name)
			if err == nil {
				err = v.f.restore(bytes.NewReader(text), false)
			}
			if err != nil {
				return fmt.Errorf("problem running ufw-init\niptables-restore: %s: %s", name, reason(err))
			}
		}
		v.f.mu.Lock()
		for _, dir := range []string{"input", "output", "forward"} {
			c := t.chain(v.prefix + "-before-" + dir)
			c.rules = append(c.rules, "-j "+v.prefix+"-user-"+dir)
		}
		v.f.mu.Unlock()
	}
	return nil
}

// unload takes ufw's chains out of the kernel's tables.
func (u *ufw) unload() {
	for _, f := range []*filters{u.sys.filters4, u.sys.filters6} {
		f.mu.Lock()
		t := f.table("filter")
		t.chains = slices.DeleteFunc(t.chains, func(c *chain) bool { return strings.HasPrefix(c.name, "ufw") })
		for _, c := range t.chains {
			c.rules = slices.DeleteFunc(c.rules, func(r string) bool { return strings.Contains(r, "-j ufw") })
			if c.policy != "-" {
				c.policy = "ACCEPT"
			}
		}
		f.mu.Unlock()
	}
}

// ufwInit is ufw-init, which its unit runs.
func ufwInit(ctx context.Context, c *call) int {
	u, err := c.sys.openUFW()
	if err != nil {
		return c.failErr(1, err)
	}
	switch {
	case len(c.args) < 2:
		return c.fail(1, "want start or stop")
	case c.args[1] == "stop":
		u.unload()
	case c.args[1] == "start" && u.enabled:
		if err := u.load(); err != nil {
			return c.fail(1, "%v", err)
		}
	}
	return 0
}
