package emit

import "strings"

// width is where a line ends that can be broken.
const width = 100

// node is an expression: a word, or a list in brackets.
type node struct {
	label       string // before it: `replicas = `, `"tier": `
	open, close string // close is "" for a word
	items       []node
	lines       bool // a word of several lines
}

func leaf(s string) node { return node{open: s} }

// flat writes a node on one line; ok is false where it has several.
func (n node) flat() (s string, ok bool) {
	if n.lines {
		return "", false
	}
	var b strings.Builder
	b.WriteString(n.label + n.open)
	for i, item := range n.items {
		s, ok := item.flat()
		if !ok {
			return "", false
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s)
	}
	b.WriteString(n.close)
	return b.String(), true
}

// write lays a node out: on one line if it fits, else an item a line.
func (n node) write(b *strings.Builder, indent int, extra int) {
	if s, ok := n.flat(); ok && (indent+len(s)+extra <= width || len(n.items) == 0) {
		b.WriteString(s)
		return
	}
	b.WriteString(n.label + n.open)
	if n.close == "" {
		return
	}
	inner := strings.Repeat(" ", indent+4)
	b.WriteByte('\n')
	for _, item := range n.items {
		b.WriteString(inner)
		item.write(b, indent+4, 1)
		b.WriteString(",\n")
	}
	b.WriteString(inner[4:] + n.close)
}
