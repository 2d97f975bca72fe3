package host

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// firewallHandler changes firewalls.
type firewallHandler struct{}

// The rules for published ports are a block of ufw's after.rules, which has each
// rule as a remark too, to be read back.
const (
	publishedBegin = "# swarmscript: published ports"
	publishedEnd   = "# swarmscript: end"
	publishedRule  = "# rule "
)

// probation is how long rules that were changed hold unless they are found to
// let us in; longest, how long changing them may take.
const (
	probation = 30 * time.Second
	longest   = 5 * time.Minute
)

// firewallBegin has what saves ufw's files into a folder, and puts them back. It
// is given to the machine's own timer too, so it is a script of its own.
const firewallBegin = `command -v ufw >/dev/null || fail "ufw is not installed: declare package(\"ufw\")"
Q=/var/lib/swarmscript/firewall
files="/etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/after.rules /etc/ufw/ufw.conf /etc/default/ufw"
keepfiles() { mkdir -p "$1"; cp -a -- $files "$1"/ 2>/dev/null || true; [ -e "$1/ufw" ] || cp -a /etc/default/ufw "$1/ufw"; }
back='cd "$1" && for f in user.rules user6.rules after.rules ufw.conf; do cp -a "$f" /etc/ufw/"$f"; done && cp -a ufw /etc/default/ufw
if grep -q "^ENABLED=yes" ufw.conf; then ufw --force enable && ufw reload; else ufw --force disable; fi'
disarm() { # what has begun to put the rules back is waited for
  systemctl stop swarmscript-firewall.timer 2>/dev/null || true
  while case $(systemctl is-active swarmscript-firewall.service) in active | activating) ;; *) false ;; esac; do sleep 0.2; done
  systemctl reset-failed swarmscript-firewall.service 2>/dev/null || true
}
arm() { # in so many seconds
  disarm
  systemd-run -q --unit=swarmscript-firewall --on-active="$1" --timer-property=AccuracySec=1s -p Type=oneshot -- /bin/sh -c "$back" sh "$Q"
}
unless() { disarm; rm -rf "$Q"; }
undo() { sh -c "$back" sh "$Q" >/dev/null 2>&1 </dev/null; unless; fail "$1"; }
ufw() { command ufw "$@" </dev/null 2>&1; }
must() { said=$(ufw "$@") || undo "ufw $*: $said"; }
`

// Create implements [resource.Handler].
func (h firewallHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var want, live FirewallSpec
	if err := firewallSchema.Decode(r.Args, &want); err != nil {
		return nil, err
	}
	if r.Live != nil {
		if err := firewallSchema.Decode(r.Live.Args, &live); err != nil {
			return nil, err
		}
	}
	script := fmt.Sprintf(`unless
keepfiles "$Q"
arm %d || fail "systemd-run failed, so nothing would put the rules back if they cut us off"
%sarm %d || undo "systemd-run failed, so nothing would put the rules back if they cut us off"
`, int(longest.Seconds()), want.script(live.Rules), int(probation.Seconds()))
	_, err = c.write(ctx, r, change{name: r.Address.Kind(), check: firewallBegin, save: `keepfiles "$B.new"`, script: script})
	if err != nil {
		return nil, err
	}
	if err := c.prove(ctx); err != nil {
		return nil, err
	}
	return c.made(r, r.Address.Kind(), nil), nil
}

// prove makes a new connection. Where that works, the rules stay; where it does
// not, those from before come back, now or by the timer.
func (c *Conn) prove(ctx context.Context) error {
	trying, cancel := context.WithTimeout(ctx, probation*2/3)
	defer cancel()
	h := remote.DialHost(c.machine)
	defer h.Close()
	if _, err := h.Run(trying, remote.Command{Script: "true"}); err != nil {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), probation)
		defer cancel()
		// It returns when they are back; where it cannot be run, the timer does it.
		_, _ = c.run(ending, firewallBegin+"systemctl start swarmscript-firewall.service; unless", nil)
		return &failure{fmt.Sprintf("no new SSH connection could be made with these rules, so those from before are put back: %v", err)}
	}
	_, err := c.run(ctx, firewallBegin+`systemctl is-active -q swarmscript-firewall.timer || fail "the rules were put back before a new connection was made: run it again"
unless`, nil)
	return err
}

// script brings ufw to what is declared. Rules are compared with those that it
// has, in their order: from the first that differs on, they are made anew. They
// are so in ufw's files, as if it were off, and then count all at once: what goes
// between the machines of a swarm is not refused in between.
func (s *FirewallSpec) script(live []FirewallRule) string {
	var b strings.Builder
	same := 0
	for same < len(live) && same < len(s.Rules) && live[same].line() == s.Rules[same].line() {
		same++
	}
	b.WriteString("sed -i 's/^ENABLED=.*/ENABLED=no/' /etc/ufw/ufw.conf\n")
	for _, r := range live[same:] {
		fmt.Fprintf(&b, "ufw --force delete %s >/dev/null || true\n", r.spec())
	}
	for _, r := range s.Rules[same:] {
		fmt.Fprintf(&b, "must %s", r.spec())
		if r.Comment != "" {
			b.WriteString(" comment " + remote.Quote(r.Comment))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "must default %s incoming\nmust default %s outgoing\nmust default %s routed\nmust logging %s\n", s.Incoming, s.Outgoing, s.Routed, s.Logging)
	if s.Published != nil {
		fmt.Fprintf(&b, `sed -i '/^%s/,/^%s/d' /etc/ufw/after.rules
printf '%%s' %s >>/etc/ufw/after.rules
`, publishedBegin, publishedEnd, remote.Quote(publishedBlock(*s.Published)))
	}
	if s.Enabled {
		b.WriteString("must --force enable\nmust reload\n")
	} else {
		b.WriteString("must --force disable\n")
	}
	return b.String()
}

// line is all that is compared of a rule.
func (r FirewallRule) line() string { return r.tuple() + " " + r.Comment }

// spec is a rule as ufw's program takes it.
func (r FirewallRule) spec() string {
	words := []string{r.Action, r.Direction}
	if r.Interface != "" {
		words = append(words, "on", r.Interface)
	}
	if r.Proto != "any" {
		words = append(words, "proto", r.Proto)
	}
	words = append(words, "from", string(r.From), "to", string(r.To))
	if p := r.ports(); p != "" {
		words = append(words, "port", p)
	}
	return quoteAll(words)
}

// publishedBlock is the block of after.rules. Docker sends what containers
// publish through the chain DOCKER-USER, with the port already changed: the
// original one is what conntrack knows. Declaring the chain empties it.
func publishedBlock(rules []FirewallRule) string {
	var b strings.Builder
	b.WriteString(publishedBegin + "\n")
	for _, r := range rules {
		b.WriteString(publishedRule + r.tuple() + " comment=" + fmt.Sprintf("%x", r.Comment) + "\n")
	}
	b.WriteString("*filter\n:DOCKER-USER - [0:0]\n-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n-A DOCKER-USER -m conntrack ! --ctstate DNAT -j RETURN\n")
	for _, r := range rules {
		match := "-A DOCKER-USER"
		if r.From != "any" {
			match += " -s " + string(r.From)
		}
		if r.Proto != "any" {
			match += " -p " + r.Proto
		}
		ports := []string{""}
		if p := r.ports(); p != "" {
			ports = strings.Split(p, ",")
		}
		for _, p := range ports {
			if p != "" {
				p = " -m conntrack --ctorigdstport " + p + " --ctdir ORIGINAL"
			}
			b.WriteString(match + p + " -j RETURN\n")
		}
	}
	b.WriteString("-A DOCKER-USER -j DROP\nCOMMIT\n" + publishedEnd + "\n")
	return b.String()
}

// Update implements [resource.Handler].
func (h firewallHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler].
func (firewallHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, `if command -v ufw >/dev/null && [ -d "$B" ]; then
`+firewallBegin+`unless
said=$(sh -c "$back" sh "$B" 2>&1 </dev/null) || fail "the firewall from before us does not come back: $said"
if ! grep -q '^:DOCKER-USER' /etc/ufw/after.rules && iptables -S DOCKER-USER 2>/dev/null | grep -q -- '--ctstate DNAT'; then iptables -F DOCKER-USER; fi
fi`)
}
