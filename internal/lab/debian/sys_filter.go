package debian

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Verdict is what a machine's firewall does with who connects.
type Verdict int

const (
	Admitted Verdict = iota
	Dropped          // nobody answers
	Rejected         // refused, as where nobody listens
)

// Filter is what the firewall does with a connection to the machine itself. That is
// ufw's, once it is loaded; rules that were given to iptables by hand are not asked.
func (s *System) Filter(proto string, from netip.Addr, port int) Verdict {
	if from.String() == s.cfg.Address || !s.hasChain("ufw-user-input") {
		return Admitted
	}
	u, err := s.openUFW()
	if err != nil {
		return Admitted // who broke its files is told by ufw
	}
	for _, r := range u.rules {
		if r.v6() == from.Is6() && r.meets(proto, from, port) {
			return map[string]Verdict{"deny": Dropped, "reject": Rejected}[r.action]
		}
	}
	return map[string]Verdict{"DROP": Dropped, "REJECT": Rejected}[u.policy["INPUT"]]
}

// FilterPublished is what the firewall does with a connection to a port that a
// container publishes. Docker takes it past ufw's rules; it passes the chain
// DOCKER-USER, where rules with matches that are not simulated are passed over.
func (s *System) FilterPublished(proto string, from netip.Addr, port int) Verdict {
	if from.String() == s.cfg.Address {
		return Admitted // from the machine itself no packet is forwarded
	}
	s.filters4.mu.Lock()
	defer s.filters4.mu.Unlock()
	c := s.filters4.table("filter").chain("DOCKER-USER")
	if c == nil {
		return Admitted
	}
	for _, rule := range c.rules {
		target, ok := publishedRule(rule, proto, from, port)
		if !ok {
			continue
		}
		switch target {
		case "RETURN", "ACCEPT":
			return Admitted
		case "DROP":
			return Dropped
		case "REJECT":
			return Rejected
		}
	}
	return Admitted
}

// publishedRule reports whether a rule of iptables is about a new connection to a
// published port, and what it does with it.
func publishedRule(rule, proto string, from netip.Addr, port int) (target string, ok bool) {
	words := strings.Fields(rule)
	not := false
	for i := 0; i < len(words); i++ {
		word, v := words[i], ""
		if word == "!" {
			not = true
			continue
		}
		if i++; i < len(words) {
			v = words[i]
		}
		holds := false
		switch word {
		case "-m", "--ctdir", "--reject-with":
			holds = true
		case "-j":
			target, holds = v, true
		case "-i":
			holds = v == "eth0"
		case "-p":
			holds = v == proto
		case "-s":
			p, err := netip.ParsePrefix(v)
			a, err2 := netip.ParseAddr(v)
			holds = err == nil && p.Contains(from) || err2 == nil && a == from
		case "--ctstate":
			states := strings.Split(v, ",")
			holds = slices.Contains(states, "NEW") || slices.Contains(states, "DNAT")
		case "--ctorigdstport":
			holds = inPorts(v, port)
		default:
			return "", false
		}
		if holds == not {
			return "", false
		}
		not = false
	}
	return target, target != ""
}

// inPorts reports whether a port is of a list, as 80,8000:8080.
func inPorts(list string, port int) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(one string) bool {
		low, high, ranged := strings.Cut(one, ":")
		a, _ := strconv.Atoi(low)
		b := a
		if ranged {
			b, _ = strconv.Atoi(high)
		}
		return a <= port && port <= b
	})
}

func (s *System) hasChain(name string) bool {
	s.filters4.mu.Lock()
	defer s.filters4.mu.Unlock()
	return s.filters4.table("filter").chain(name) != nil
}
