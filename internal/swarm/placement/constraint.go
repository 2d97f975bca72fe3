package placement

import (
	"net"
	"strings"
)

// Satisfies reports whether a node satisfies a constraint, by the swarm's own
// rules: keys and values in any case, names of labels as they are written. A
// constraint on a key that the swarm does not know is satisfied by no node.
func (n *Node) Satisfies(constraint string) bool {
	key, value, equal := strings.Cut(constraint, "==")
	if !equal {
		key, value, _ = strings.Cut(constraint, "!=")
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if name, ok := cutPrefixFold(key, "node.labels."); ok && n.Open[name] {
		return true
	}
	if n.Coming && n.unknown(key) || n.First && (strings.EqualFold(key, "node.id") || strings.EqualFold(key, "node.ip")) {
		return true
	}
	same, known := n.is(key, value)
	return known && same == equal
}

// unknown reports whether a property of a machine that is going to join is not
// known yet: all that its declaration does not say, and the swarm does know.
func (n *Node) unknown(key string) bool {
	_, ofNode := cutPrefixFold(key, "node.labels.")
	_, known := n.Property(key)
	return (known || strings.EqualFold(key, "node.ip")) && !ofNode && !strings.EqualFold(key, "node.role")
}

// is reports whether a property of a node has a value; known is false where
// the swarm would let no node pass.
func (n *Node) is(key, value string) (same, known bool) {
	if strings.EqualFold(key, "node.ip") {
		return n.inNet(value)
	}
	got, known := n.Property(key)
	return strings.EqualFold(got, value), known
}

// inNet reports whether the node's address is that one, or in that network.
func (n *Node) inNet(value string) (same, known bool) {
	addr := net.ParseIP(n.Addr)
	if ip := net.ParseIP(value); ip != nil {
		return ip.Equal(addr), true
	}
	_, block, err := net.ParseCIDR(value)
	if err != nil {
		return false, false
	}
	return block.Contains(addr), true
}

// Property is what a constraint or a preference on a key asks of a node; known
// is false for a key that the swarm does not know.
func (n *Node) Property(key string) (value string, known bool) {
	switch strings.ToLower(key) {
	case "node.id":
		return n.ID, true
	case "node.hostname":
		return n.Name, true
	case "node.role":
		return n.Role, true
	case "node.platform.os":
		return n.OS, true
	case "node.platform.arch":
		return n.Arch, true
	}
	if name, ok := cutPrefixFold(key, "node.labels."); ok {
		return n.Labels[name], true
	}
	if name, ok := cutPrefixFold(key, "engine.labels."); ok {
		return n.EngineLabels[name], true
	}
	return "", false
}

// cutPrefixFold cuts a prefix in any case from what is longer than it.
func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) <= len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// Runs reports whether a node can run an image that is made for some
// platforms; none means that they are not known.
func (n *Node) Runs(platforms []Platform) bool {
	for _, p := range platforms {
		if (p.OS == "" || p.OS == n.OS) && (p.Arch == "" || commonArch(p.Arch) == commonArch(n.Arch)) {
			return true
		}
	}
	return len(platforms) == 0 || n.Coming
}

// commonArch is an architecture by the name that images use.
func commonArch(arch string) string {
	switch arch {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return arch
}
