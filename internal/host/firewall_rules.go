package host

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

var (
	rulesField, _ = firewallSchema.Field("rules")
	ruleSchema    = rulesField.Type.Elem.Struct
)

// completeFirewall brings the rules to what ufw makes of them: those for IPv6
// come last, and of those that differ only in what they do and say the first one
// stays.
func completeFirewall(args value.Struct) {
	l, ok := get(firewallSchema, args, "rules").(value.List)
	if !ok {
		return
	}
	var v4, v6 value.List
	seen := map[string]bool{}
	for _, e := range l {
		key, known := matchOf(e)
		if known && seen[key] {
			continue
		}
		seen[key] = known
		if rule, _ := value.Reveal(e).(value.Struct); isV6(rule) {
			v6 = append(v6, e)
		} else {
			v4 = append(v4, e)
		}
	}
	set(firewallSchema, args, "rules", append(v4, v6...))
}

func isV6(rule value.Struct) bool {
	return rule != nil && slices.ContainsFunc([]string{"from_", "to"}, func(arg string) bool {
		n, _ := text(ruleSchema, rule, arg)
		return Network(n).isV6()
	})
}

// matchOf is what a rule is about, which ufw knows it by; known is false while
// some of it is not known yet.
func matchOf(e value.Value) (match string, known bool) {
	rule, _ := value.RevealAll(e).(value.Struct)
	if rule == nil || !value.Known(rule) {
		return "", false
	}
	var r FirewallRule
	if ruleSchema.Decode(rule, &r) != nil {
		return "", false
	}
	_, match, _ = strings.Cut(r.tuple(), " ")
	return match, true
}

// isOpening reports whether a rule follows from a swarm.
func isOpening(e value.Value) bool {
	rule, _ := value.Reveal(e).(value.Struct)
	if rule == nil {
		return false
	}
	comment, _ := text(ruleSchema, rule, "comment")
	return strings.HasPrefix(comment, resource.OpeningComment)
}

// withoutOpenings leaves out the rules that follow from a swarm, whose addresses
// may not be known yet.
func withoutOpenings(args value.Struct) value.Struct {
	rules, ok := value.Reveal(args[rulesField.Index]).(value.List)
	if !ok {
		return args
	}
	out := slices.Clone(args)
	out[rulesField.Index] = slices.DeleteFunc(slices.Clone(rules), isOpening)
	return out
}

// widenFirewall implements [resource.Kind.Widen]: the openings that there are
// stay beside those that shall be. While something is not known, all that there
// is stays.
func widenFirewall(live *resource.Object, args value.Struct) (wide value.Struct, more bool) {
	wide = slices.Clone(args)
	for i, v := range wide {
		if f := firewallSchema.Fields()[i]; f.Name != "rules" && !value.Known(v) {
			wide[i], more = live.Args[i], true
		}
	}
	want, _ := value.Reveal(get(firewallSchema, args, "rules")).(value.List)
	have, _ := value.Reveal(get(firewallSchema, live.Args, "rules")).(value.List)
	partly := more || slices.ContainsFunc(want, func(e value.Value) bool { return !value.Known(e) })
	var rules, openings value.List
	wanted := map[string]bool{}
	for _, e := range want {
		match, known := matchOf(e)
		wanted[match] = wanted[match] || known
		switch {
		case !known:
			more = true
		case isOpening(e):
			openings = append(openings, e)
		default:
			rules = append(rules, e)
		}
	}
	// In the order in which they are there, so that nothing is done about those
	// that stay.
	for _, e := range have {
		match, _ := matchOf(e)
		if stays := isOpening(e) || partly; !wanted[match] && stays {
			rules, more = append(rules, e), true
		} else if i := slices.IndexFunc(openings, func(o value.Value) bool { return value.Equal(o, e) }); i >= 0 {
			rules, openings = append(rules, e), slices.Delete(openings, i, i+1)
		}
	}
	set(firewallSchema, wide, "rules", append(rules, openings...))
	completeFirewall(wide)
	return wide, more
}
