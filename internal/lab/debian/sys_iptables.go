package debian

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// filters are the tables of a machine's kernel: chains of rules that are kept as they
// were given, in iptables' normal form. No packet passes them; what a firewall lets in
// is asked of ufw's rules, and for what containers publish of the chain DOCKER-USER
// ([System.Filter], [System.FilterPublished]).
type filters struct {
	mu   sync.Mutex
	six  bool
	made map[string]*table
}

type table struct{ chains []*chain }

type chain struct {
	name, policy string // "-": none, of a user's own
	rules        []string
}

func newFilters(six bool) *filters { return &filters{six: six, made: map[string]*table{}} }

// clear is what a reboot does.
func (f *filters) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made = map[string]*table{}
}

// table returns a table, nil for one that there is not. The lock is held.
func (f *filters) table(name string) *table {
	builtin := map[string]string{"filter": "INPUT FORWARD OUTPUT", "nat": "PREROUTING INPUT OUTPUT POSTROUTING", "mangle": "PREROUTING INPUT FORWARD OUTPUT POSTROUTING", "raw": "PREROUTING OUTPUT"}[name]
	if builtin == "" {
		return nil
	}
	if f.made[name] == nil {
		t := &table{}
		for _, c := range strings.Fields(builtin) {
			t.chains = append(t.chains, &chain{name: c, policy: "ACCEPT"})
		}
		f.made[name] = t
	}
	return f.made[name]
}

func (t *table) chain(name string) *chain {
	for _, c := range t.chains {
		if c.name == name {
			return c
		}
	}
	return nil
}

// add adds a chain, or empties the one that is there.
func (t *table) add(name string) *chain {
	c := t.chain(name)
	if c == nil {
		c = &chain{name: name, policy: "-"}
		t.chains = append(t.chains, c)
	}
	c.rules = nil
	return c
}

// iptablesError is why a command has failed.
type iptablesError struct {
	code int
	msg  string
}

func (e *iptablesError) Error() string { return e.msg }

var noChain = &iptablesError{1, "No chain/target/match by that name."}

// matchOptions are those of rules that are known, with how many words follow each.
var matchOptions = func() map[string]int {
	all := map[string]int{"--syn": 0, "--set": 0, "--update": 0, "--rsource": 0, "--rcheck": 0, "--tcp-flags": 2, "--random": 0}
	for _, o := range strings.Fields("-s -d -i -o -p -j -g -m --dport --sport --dports --sports --ports --ctstate --ctorigdstport --ctdir --ctproto --state --limit --limit-burst --comment --icmp-type --icmpv6-type --reject-with " +
		"--log-prefix --log-level --seconds --hitcount --name --mask --to-destination --to-source --to-ports --set-mark --set-xmark --mark --src-type --dst-type --mac-source --uid-owner --connlimit-above --hl-eq --rttl") {
		all[o] = 1
	}
	return all
}()

var longOptions = map[string]string{"--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--in-interface": "-i", "--out-interface": "-o", "--protocol": "-p", "--proto": "-p",
	"--jump": "-j", "--goto": "-g", "--match": "-m", "--destination-port": "--dport", "--source-port": "--sport"}

// normalRule brings a rule to the form that iptables -S prints.
func (f *filters) normalRule(words []string) (string, error) {
	first := map[string]string{}
	var rest, last []string
	not, proto, module := "", "", false
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "!" {
			not = "! "
			continue
		}
		if short := longOptions[w]; short != "" {
			w = short
		}
		n, known := matchOptions[w]
		if !known {
			return "", &iptablesError{2, fmt.Sprintf("unknown option \"%s\"", w)}
		}
		if i+n >= len(words) {
			return "", &iptablesError{2, fmt.Sprintf("option \"%s\" requires an argument", w)}
		}
		values := words[i+1 : i+1+n]
		i += n
		switch w {
		case "-s", "-d":
			v, err := f.network(values[0])
			if err != nil {
				return "", err
			}
			if v != "" {
				first[w] = not + w + " " + v
			}
		case "-i", "-o":
			first[w] = not + w + " " + values[0]
		case "-p":
			if proto = values[0]; proto != "all" {
				first[w] = not + w + " " + proto
			}
		case "-j", "-g":
			last = append(last, w, values[0])
		default:
			module = module || w == "-m" && values[0] == proto
			if (w == "--dport" || w == "--sport") && !module && proto != "" {
				rest = append(rest, "-m", proto)
				module = true
			}
			to := &rest
			if len(last) > 0 {
				to = &last
			}
			word := not + w
			for _, v := range values {
				word += " " + quoteRule(v)
			}
			*to = append(*to, word)
		}
		not = ""
	}
	rest, last = f.defaults(rest, last)
	var out []string
	for _, o := range []string{"-s", "-d", "-i", "-o", "-p"} {
		if first[o] != "" {
			out = append(out, first[o])
		}
	}
	return strings.Join(slices.Concat(out, rest, last), " "), nil
}

// defaults writes out what a rule has not said, as iptables does.
func (f *filters) defaults(rest, last []string) ([]string, []string) {
	mask, reject := "255.255.255.255", "icmp-port-unreachable"
	if f.six {
		mask, reject = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "icmp6-port-unreachable"
	}
	named := slices.ContainsFunc(rest, func(w string) bool { return strings.HasPrefix(w, "--name ") })
	if slices.Contains(rest, "-m recent") && !named {
		rest = append(rest, "--name DEFAULT", "--mask "+mask, "--rsource")
	}
	if len(last) == 2 && last[1] == "REJECT" {
		last = append(last, "--reject-with "+reject)
	}
	for i, w := range rest {
		if strings.HasPrefix(w, "--limit ") {
			rest[i] = strings.NewReplacer("/minute", "/min", "/second", "/sec").Replace(w)
		}
	}
	return rest, last
}

func quoteRule(v string) string {
	if strings.ContainsAny(v, " \t\"'") || v == "" {
		return `"` + strings.ReplaceAll(v, `"`, `\"`) + `"`
	}
	return v
}

// network is an address as iptables prints it, "" for any.
func (f *filters) network(v string) (string, error) {
	if a, err := netip.ParseAddr(v); err == nil {
		v = fmt.Sprintf("%s/%d", a, a.BitLen())
	}
	p, err := netip.ParsePrefix(v)
	if err != nil || p.Addr().Is6() != f.six {
		return "", &iptablesError{2, fmt.Sprintf("host/network `%s' not found", v)}
	}
	if p.Bits() == 0 {
		return "", nil
	}
	return p.Masked().String(), nil
}

// change is one command that changes a table, or looks for a rule in it.
func (f *filters) change(in, verb, name string, words []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.table(in)
	if t == nil {
		return &iptablesError{3, fmt.Sprintf("can't initialize iptables table `%s': Table does not exist", in)}
	}
	c := t.chain(name)
	switch verb {
	case "-N":
		if c != nil {
			return &iptablesError{1, "Chain already exists."}
		}
		t.add(name)
		return nil
	case "-F", "-X", "-Z":
		return t.empty(verb, name)
	}
	if c == nil {
		return noChain
	}
	if verb == "-P" {
		if c.policy == "-" || len(words) != 1 || words[0] != "ACCEPT" && words[0] != "DROP" {
			return &iptablesError{1, "Bad built-in chain name."}
		}
		c.policy = words[0]
		return nil
	}
	return f.changeRule(t, c, verb, words)
}

// empty is -F and -X.
func (t *table) empty(verb, name string) error {
	if name != "" && t.chain(name) == nil {
		return noChain
	}
	for _, c := range slices.Clone(t.chains) {
		if name != "" && c.name != name {
			continue
		}
		if verb == "-F" {
			c.rules = nil
		}
		if verb != "-X" || c.policy != "-" {
			continue
		}
		used := slices.ContainsFunc(t.chains, func(o *chain) bool {
			return slices.ContainsFunc(o.rules, func(r string) bool { return strings.HasSuffix(r, "-j "+c.name) })
		})
		if len(c.rules) > 0 || used {
			if name != "" {
				return &iptablesError{1, "CHAIN_DEL failed (Device or resource busy): chain " + name}
			}
			continue
		}
		t.chains = slices.DeleteFunc(t.chains, func(o *chain) bool { return o == c })
	}
	return nil
}

var targets = []string{"ACCEPT", "DROP", "REJECT", "RETURN", "LOG", "MASQUERADE", "DNAT", "SNAT", "REDIRECT", "MARK", "TCPMSS", "NOTRACK", "CT", "QUEUE"}

func (f *filters) changeRule(t *table, c *chain, verb string, words []string) error {
	at := -1
	if len(words) > 0 && (verb == "-I" || verb == "-D" || verb == "-R") {
		if n, err := strconv.Atoi(words[0]); err == nil {
			at, words = n-1, words[1:]
		}
	}
	if verb == "-D" && at >= 0 {
		if at >= len(c.rules) {
			return &iptablesError{1, "Index of deletion too big."}
		}
		c.rules = slices.Delete(c.rules, at, at+1)
		return nil
	}
	rule, err := f.normalRule(words)
	if err != nil {
		return err
	}
	if _, to, ok := strings.Cut(" "+rule, " -j "); ok {
		to, _, _ = strings.Cut(to, " ")
		if !slices.Contains(targets, to) && t.chain(to) == nil {
			return noChain
		}
	}
	i := slices.Index(c.rules, rule)
	switch verb {
	case "-A":
		c.rules = append(c.rules, rule)
	case "-I":
		if at = max(at, 0); at > len(c.rules) {
			return &iptablesError{1, "Index of insertion too big."}
		}
		c.rules = slices.Insert(c.rules, at, rule)
	case "-R":
		if at < 0 || at >= len(c.rules) {
			return &iptablesError{1, "Index of replacement too big."}
		}
		c.rules[at] = rule
	case "-D", "-C":
		if i < 0 {
			return &iptablesError{1, "Bad rule (does a matching rule exist in that chain?)."}
		}
		if verb == "-D" {
			c.rules = slices.Delete(c.rules, i, i+1)
		}
	}
	return nil
}

// restore reads what iptables-save has written. Without flush, what it does not name
// stays.
func (f *filters) restore(r io.Reader, flush bool) error {
	in := ""
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		var err error
		switch {
		case line == "" || line[0] == '#' || line == "COMMIT":
		case line[0] == '*':
			in = line[1:]
			f.mu.Lock()
			if f.table(in) == nil {
				err = fmt.Errorf("line %d: there is no table %s", n, in)
			} else if flush {
				delete(f.made, in)
			}
			f.mu.Unlock()
		case line[0] == ':':
			w := strings.Fields(line[1:])
			f.mu.Lock()
			if t := f.table(in); t != nil && len(w) > 1 {
				if c := t.add(w[0]); w[1] != "-" {
					c.policy = w[1]
				}
			}
			f.mu.Unlock()
		default:
			w := quotedWords(line)
			if len(w) < 2 || !slices.Contains([]string{"-A", "-I", "-D", "-F", "-N", "-X", "-P"}, w[0]) {
				return fmt.Errorf("line %d failed", n)
			}
			if err = f.change(in, w[0], w[1], w[2:]); err != nil {
				err = fmt.Errorf("line %d failed: %w", n, err)
			}
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

// dockerChains are the chains that an engine makes when it starts, as far as others put
// rules into them.
func (s *System) dockerChains() {
	for _, f := range []*filters{s.filters4, s.filters6} {
		f.mu.Lock()
		t := f.table("filter")
		if t.chain("DOCKER-USER") == nil {
			t.add("DOCKER-USER")
		}
		user, forward := t.chain("DOCKER-USER"), t.chain("FORWARD")
		if debianOrder(s.dockerVersion(), "28") < 0 && !slices.Contains(user.rules, "-j RETURN") {
			user.rules = append(user.rules, "-j RETURN")
		}
		if !slices.Contains(forward.rules, "-j DOCKER-USER") {
			forward.rules = slices.Insert(forward.rules, 0, "-j DOCKER-USER")
		}
		f.mu.Unlock()
	}
}
