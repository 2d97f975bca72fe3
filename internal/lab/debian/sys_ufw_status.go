package debian

import (
	"fmt"
	"strings"
)

func (r *ufwRun) show(what string) int {
	if what != "added" {
		return r.notSimulated("show " + what)
	}
	r.printf("Added user rules (see 'ufw status' for running firewall):\n")
	seen := map[string]bool{}
	for _, rule := range r.u.rules {
		if text := rule.words(); !seen[text] {
			seen[text] = true
			r.printf("ufw %s\n", text)
		}
	}
	if len(seen) == 0 {
		r.printf("(None)\n")
	}
	return 0
}

func (r *ufwRun) status(how string) int {
	if how != "" && how != "verbose" && how != "numbered" {
		return r.error(errUFWSyntax)
	}
	if !r.u.enabled {
		r.printf("Status: inactive\n")
		return 0
	}
	r.printf("Status: active\n")
	if how == "verbose" {
		level := "on (" + r.u.level + ")"
		if r.u.level == "off" {
			level = "off"
		}
		words := map[string]string{"ACCEPT": "allow", "DROP": "deny", "REJECT": "reject"}
		r.printf("Logging: %s\nDefault: %s (incoming), %s (outgoing), %s (routed)\nNew profiles: skip\n", level, words[r.u.policy["INPUT"]], words[r.u.policy["OUTPUT"]], words[r.u.policy["FORWARD"]])
	}
	if len(r.u.rules) == 0 {
		return 0
	}
	indent := ""
	if how == "numbered" {
		indent = "     "
	}
	r.printf("\n%s%-26s %-11s %s\n%s%-26s %-11s %s\n", indent, "To", "Action", "From", indent, "--", "------", "----")
	outs := 0
	for i, rule := range r.u.rules {
		switch {
		case how == "numbered":
			r.printf("[%2d] %s\n", i+1, rule.row(true, true))
		case rule.direction == "out":
			outs++
		default:
			r.printf("%s\n", rule.row(how != "", false))
		}
	}
	r.printf("\n")
	if outs == 0 {
		return 0
	}
	for _, rule := range r.u.rules { // those that go out come last
		if rule.direction == "out" {
			r.printf("%s\n", rule.row(true, false))
		}
	}
	r.printf("\n")
	return 0
}

// row is a rule in the table that status prints: with its direction, and with a mark
// where it is about what goes out.
func (r ufwRule) row(direction, mark bool) string {
	anywhere := func(a string) bool { return a == anyAddress || a == anyAddress6 }
	both := anywhere(r.src) && anywhere(r.dst)
	side := func(address, port string) string {
		text := address
		switch {
		case anywhere(address) && port != "any":
			text = port
		case anywhere(address):
			text = "Anywhere"
		case port != "any":
			text += " " + port
		}
		if r.proto != "any" && (port != "any" || r.dport == "any" && r.sport == "any" && (both || !anywhere(address))) {
			text += "/" + r.proto
		}
		if both && r.v6() {
			text += " (v6)"
		}
		return text
	}
	to := side(r.dst, r.dport)
	if r.device != "" {
		to += " on " + r.device
	}
	action := strings.ToUpper(r.action)
	if direction || r.direction == "out" {
		action += " " + strings.ToUpper(r.direction)
	}
	text := fmt.Sprintf("%-26s %-11s %-26s", to, action, side(r.src, r.sport))
	if mark && r.direction == "out" {
		text += " (out)"
	}
	if r.comment != "" {
		text += " # " + r.comment
	}
	return text
}
