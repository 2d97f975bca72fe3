package debian

import (
	"context"
	"fmt"
	"strings"
)

func (c *call) filters() *filters {
	if strings.HasPrefix(c.name(), "ip6") {
		return c.sys.filters6
	}
	return c.sys.filters4
}

func (c *call) iptablesFails(err error) int {
	code := 1
	if e, ok := err.(*iptablesError); ok {
		code = e.code
	}
	if code == 1 {
		return c.fail(1, "%v", err)
	}
	c.flush()
	fmt.Fprintf(c.stderr, "%s %s (nf_tables): %v\n", c.name(), c.iptablesVersion(), err)
	return code
}

func (c *call) iptablesVersion() string {
	v, _ := c.sys.isInstalled("iptables")
	_, upstream, _ := splitVersion(v)
	return "v" + upstream
}

// iptablesCommand is iptables and ip6tables.
func iptablesCommand(ctx context.Context, c *call) int {
	if len(c.args) == 2 && (c.args[1] == "--version" || c.args[1] == "-V") {
		c.printf("%s %s (nf_tables)\n", c.name(), c.iptablesVersion())
		return 0
	}
	if c.proc.who.UID != 0 {
		return c.iptablesFails(&iptablesError{4, "Could not fetch rule set generation id: Permission denied (you must be root)"})
	}
	in, verb, name, numbers := "filter", "", "", false
	var words []string
	long := map[string]string{"--append": "-A", "--insert": "-I", "--delete": "-D", "--check": "-C", "--new-chain": "-N", "--flush": "-F", "--policy": "-P", "--list-rules": "-S", "--list": "-L", "--delete-chain": "-X", "--replace": "-R", "--zero": "-Z"}
	for left := c.args[1:]; len(left) > 0; {
		w := left[0]
		left = left[1:]
		if short := long[w]; short != "" {
			w = short
		}
		switch {
		case (w == "-t" || w == "--table") && len(left) > 0:
			in, left = left[0], left[1:]
		case w == "-w" || w == "--wait":
			if len(left) > 0 && strings.Trim(left[0], "0123456789") == "" {
				left = left[1:]
			}
		case verb == "" && len(w) == 2 && strings.Contains("AIDCNFPSLXRZ", w[1:]):
			verb = w
			if len(left) > 0 && !strings.HasPrefix(left[0], "-") {
				name, left = left[0], left[1:]
			}
		case verb == "-L" && strings.HasPrefix(w, "-"):
			numbers = numbers || w == "--line-numbers"
		default:
			words = append(words, w)
		}
	}
	switch verb {
	case "":
		return c.iptablesFails(&iptablesError{2, "no command specified"})
	case "-S", "-L":
		return c.iptablesList(in, name, verb == "-S", numbers)
	}
	if err := c.filters().change(in, verb, name, words); err != nil {
		return c.iptablesFails(err)
	}
	return 0
}

func (c *call) iptablesList(in, name string, rules, numbers bool) int {
	f := c.filters()
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.table(in)
	if t == nil {
		return c.iptablesFails(&iptablesError{3, "can't initialize iptables table `" + in + "': Table does not exist"})
	}
	if name != "" && t.chain(name) == nil {
		if c.sys.cfg.Image != "debian-12" {
			return c.iptablesFails(noChain)
		}
		c.iptablesFails(&iptablesError{2, fmt.Sprintf("chain `%s' in table `%s' is incompatible, use 'nft' tool.", name, in)})
		return 1
	}
	if rules {
		c.printf("%s", t.text(name, true))
		return 0
	}
	first := true
	for _, ch := range t.chains {
		if name != "" && ch.name != name {
			continue
		}
		if !first {
			c.printf("\n")
		}
		first = false
		about := "policy " + ch.policy
		if ch.policy == "-" {
			about = fmt.Sprintf("%d references", t.references(ch.name))
		}
		c.printf("Chain %s (%s)\n", ch.name, about)
		for i, r := range ch.rules {
			if numbers {
				c.printf("%-4d ", i+1)
			}
			c.printf("%s\n", r)
		}
	}
	return 0
}

func (t *table) references(name string) (n int) {
	for _, c := range t.chains {
		for _, r := range c.rules {
			n += b2i(strings.HasSuffix(r, "-j "+name))
		}
	}
	return n
}

// text is what -S prints of a table, or of one chain.
func (t *table) text(name string, policies bool) string {
	var b strings.Builder
	for _, c := range t.chains {
		switch {
		case !policies || name != "" && c.name != name:
		case c.policy == "-":
			fmt.Fprintf(&b, "-N %s\n", c.name)
		default:
			fmt.Fprintf(&b, "-P %s %s\n", c.name, c.policy)
		}
	}
	for _, c := range t.chains {
		if name != "" && c.name != name {
			continue
		}
		for _, r := range c.rules {
			fmt.Fprintf(&b, "-A %s %s\n", c.name, r)
		}
	}
	return b.String()
}

func iptablesSave(ctx context.Context, c *call) int {
	f := c.filters()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range sortedKeys(f.made) {
		c.printf("*%s\n", name)
		for _, ch := range f.made[name].chains {
			c.printf(":%s %s [0:0]\n", ch.name, ch.policy)
		}
		c.printf("%sCOMMIT\n", f.made[name].text("", false))
	}
	return 0
}

func iptablesRestore(ctx context.Context, c *call) int {
	opts, operands, bad, ok := c.options("nwt", "noflush", "wait", "test")
	if !ok {
		return bad
	}
	flush := true
	for _, o := range opts {
		if o.name == "t" || o.name == "test" {
			return c.notSimulated("option -t")
		}
		flush = flush && o.name != "n" && o.name != "noflush"
	}
	if c.proc.who.UID != 0 {
		return c.iptablesFails(&iptablesError{4, "Could not fetch rule set generation id: Permission denied (you must be root)"})
	}
	from := c.stdin
	if len(operands) > 0 {
		text, err := c.fs.ReadFile(operands[0])
		if err != nil {
			return c.failErr(1, err)
		}
		from = strings.NewReader(string(text))
	}
	if err := c.filters().restore(from, flush); err != nil {
		return c.fail(1, "%v", err)
	}
	return 0
}
