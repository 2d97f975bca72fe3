package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ufwRun is one run of ufw.
type ufwRun struct {
	*call
	u     *ufw
	force bool
}

func ufwCommand(ctx context.Context, c *call) int {
	r := &ufwRun{call: c}
	words := c.args[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		switch words[0] {
		case "--force":
			r.force = true
		case "--version":
			words = []string{"version"}
			continue
		default:
			return c.notSimulated("option " + words[0])
		}
		words = words[1:]
	}
	if len(words) == 0 {
		return r.error(errors.New("not enough args"))
	}
	if words[0] == "version" {
		v, _ := c.sys.isInstalled("ufw")
		_, upstream, _ := splitVersion(v)
		c.printf("ufw %s\n", upstream)
		return 0
	}
	if c.proc.who.UID != 0 {
		return r.error(saysf("You need to be root to run this script"))
	}
	var err error
	if r.u, err = c.sys.openUFW(); err != nil {
		return r.error(err)
	}
	return r.run(words)
}

func (r *ufwRun) error(err error) int {
	r.flush()
	fmt.Fprintf(r.stderr, "ERROR: %s\n", reason(err))
	return 1
}

// done ends a command that has changed something.
func (r *ufwRun) done(err error, said string) int {
	if err != nil {
		return r.error(err)
	}
	r.printf("%s\n", said)
	return 0
}

func (r *ufwRun) run(words []string) int {
	rest := words[1:]
	switch words[0] {
	case "enable":
		if !r.force && !r.agreed("Command may disrupt existing ssh connections. Proceed with operation (y|n)? ") {
			return 0
		}
		err := r.u.load()
		if err == nil {
			err = r.u.setLine(ufwConf, "ENABLED", "yes")
		}
		return r.done(err, "Firewall is active and enabled on system startup")
	case "disable":
		r.u.unload()
		return r.done(r.u.setLine(ufwConf, "ENABLED", "no"), "Firewall stopped and disabled on system startup")
	case "reload":
		if !r.u.enabled {
			r.printf("Firewall not enabled (skipping reload)\n")
			return 0
		}
		return r.done(r.u.load(), "Firewall reloaded")
	case "reset":
		if !r.force && !r.agreed("Resetting all rules to installed defaults. Proceed with operation (y|n)? ") {
			return 0
		}
		return r.reset()
	case "logging":
		return r.logging(rest)
	case "default":
		return r.setDefault(rest)
	case "status":
		return r.status(strings.Join(rest, " "))
	case "show":
		return r.show(strings.Join(rest, " "))
	case "rule":
		return r.run(rest)
	case "route", "app":
		return r.notSimulated(words[0])
	}
	return r.rule(words)
}

func (r *ufwRun) agreed(question string) bool {
	r.printf("%s", question)
	r.flush()
	line, _ := bufio.NewReader(r.stdin).ReadString('\n')
	if strings.HasPrefix(strings.ToLower(line), "y") {
		return true
	}
	r.printf("Aborted\n")
	return false
}

func (r *ufwRun) reset() int {
	r.u.unload()
	r.u.rules = nil
	root := r.sys.fs.Root()
	var problems []error
	for _, f := range broughts["ufw"].files {
		problems = append(problems, root.WriteFile(f.path, []byte(f.text), max(f.mode, 0o640)))
	}
	return r.done(errors.Join(problems...), "Resetting all rules to installed defaults.")
}

func (r *ufwRun) logging(words []string) int {
	level := strings.Join(words, " ")
	if level == "on" {
		level = "low"
	}
	if !slices.Contains([]string{"off", "low", "medium", "high", "full"}, level) {
		return r.error(saysf("Invalid log level '%s'", level))
	}
	said := "Logging enabled"
	if level == "off" {
		said = "Logging disabled"
	}
	return r.done(r.u.setLine(ufwConf, "LOGLEVEL", level), said)
}

func (r *ufwRun) setDefault(words []string) int {
	if len(words) == 0 || len(words) > 2 {
		return r.error(errUFWSyntax)
	}
	direction := "incoming"
	if len(words) == 2 {
		direction = words[1]
	}
	policy := map[string]string{"allow": "ACCEPT", "deny": "DROP", "reject": "REJECT"}[words[0]]
	key := map[string]string{"incoming": "INPUT", "input": "INPUT", "outgoing": "OUTPUT", "output": "OUTPUT", "routed": "FORWARD", "forward": "FORWARD"}[direction]
	if policy == "" || key == "" {
		return r.error(errUFWSyntax)
	}
	err := r.u.setLine(ufwDefault, "DEFAULT_"+key+"_POLICY", `"`+policy+`"`)
	if r.u.policy[key] = policy; err == nil && r.u.enabled {
		err = r.u.load()
	}
	return r.done(err, fmt.Sprintf("Default %s policy changed to '%s'\n(be sure to update your rules accordingly)", direction, words[0]))
}

// rule adds, inserts or deletes one.
func (r *ufwRun) rule(words []string) int {
	at, deletes := 0, false
	switch {
	case words[0] == "delete" && len(words) > 1:
		deletes = true
		words = words[1:]
		if n, err := strconv.Atoi(words[0]); err == nil && len(words) == 1 {
			return r.deleteNumber(n)
		}
	case words[0] == "insert" && len(words) > 2:
		n, err := strconv.Atoi(words[1])
		if at, words = n, words[2:]; err != nil || n < 1 {
			return r.error(saysf("Invalid position '%s'", words[1]))
		}
	case words[0] == "prepend" && len(words) > 1:
		at, words = 1, words[1:]
	}
	if len(words) < 2 || !slices.Contains(ufwActions, words[0]) {
		return r.error(errUFWSyntax)
	}
	rule, err := parseUFWRule(words)
	if err != nil {
		return r.error(err)
	}
	both := []ufwRule{rule}
	if rule.src == anyAddress && rule.dst == anyAddress {
		six := rule
		six.src, six.dst = anyAddress6, anyAddress6
		both = append(both, six)
	}
	for _, one := range both {
		if deletes {
			r.deleteRule(one)
		} else {
			r.addRule(one, at)
		}
	}
	err = r.u.saveRules()
	if err == nil && r.u.enabled {
		err = r.u.load()
	}
	if err != nil {
		return r.error(err)
	}
	return 0
}

func (r *ufwRun) tell(what string, rule ufwRule) {
	if rule.v6() {
		what += " (v6)"
	}
	r.printf("%s\n", what)
}

func (r *ufwRun) addRule(rule ufwRule, at int) {
	said := "Rules updated"
	if r.u.enabled {
		said = "Rule added"
	}
	i := slices.IndexFunc(r.u.rules, func(o ufwRule) bool { return o.about() == rule.about() })
	switch {
	case i >= 0 && r.u.rules[i] == rule && at == 0:
		said = "Skipping adding existing rule"
	case i >= 0 && at == 0:
		r.u.rules[i] = rule
		if r.u.enabled {
			said = "Rule updated"
		}
	case i >= 0:
		said = "Skipping inserting existing rule"
	case at > 0 && at <= len(r.u.rules):
		r.u.rules = slices.Insert(r.u.rules, at-1, rule)
	default:
		r.u.rules = append(r.u.rules, rule)
	}
	r.tell(said, rule)
}

func (r *ufwRun) deleteRule(rule ufwRule) {
	rule.comment = ""
	n := len(r.u.rules)
	r.u.rules = slices.DeleteFunc(r.u.rules, func(o ufwRule) bool { o.comment = ""; return o == rule })
	switch {
	case len(r.u.rules) == n:
		r.tell("Could not delete non-existent rule", rule)
	case r.u.enabled:
		r.tell("Rule deleted", rule)
	default:
		r.tell("Rules updated", rule)
	}
}

func (r *ufwRun) deleteNumber(n int) int {
	if n < 1 || n > len(r.u.rules) {
		return r.error(saysf("Could not find rule '%d'", n))
	}
	rule := r.u.rules[n-1]
	if !r.force && !r.agreed(fmt.Sprintf("Deleting:\n %s\nProceed with operation (y|n)? ", rule.words())) {
		return 0
	}
	r.u.rules = slices.Delete(r.u.rules, n-1, n)
	err := r.u.saveRules()
	if err == nil && r.u.enabled {
		err = r.u.load()
	}
	if err != nil {
		return r.error(err)
	}
	r.tell("Rule deleted", rule)
	return 0
}

// words is a rule as the command line has it.
func (r ufwRule) words() string {
	plain := r.src == anyAddress && r.dst == anyAddress || r.src == anyAddress6 && r.dst == anyAddress6
	out := r.action
	if r.direction == "out" || r.device != "" {
		out += " " + r.direction
	}
	if r.device != "" {
		out += " on " + r.device
	}
	if plain && r.dport != "any" && r.sport == "any" && r.device == "" {
		out += " " + r.dport
		if r.proto != "any" {
			out += "/" + r.proto
		}
	} else {
		side := func(name, address, port string) string {
			if address == anyAddress || address == anyAddress6 {
				if address = "any"; port == "any" {
					return ""
				}
			}
			text := " " + name + " " + address
			if port != "any" {
				text += " port " + port
			}
			return text
		}
		out += side("from", r.src, r.sport) + side("to", r.dst, r.dport)
		if r.proto != "any" {
			out += " proto " + r.proto
		}
	}
	if r.comment != "" {
		out += " comment '" + r.comment + "'"
	}
	return out
}
