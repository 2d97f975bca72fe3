package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	units "github.com/docker/go-units"
)

// nobody explains that no node may run the service.
func (b *board) nobody(s *Service) *Shortage {
	if b.told++; b.told > explained {
		return &Shortage{}
	}
	out := &Shortage{Why: b.others(s, nil)}
	for _, c := range s.Constraints {
		if len(b.those(func(n *Node) bool { return n.Satisfies(c) }).nodes) > 0 {
			continue
		}
		key, value, equal := strings.Cut(c, "==")
		if name, ok := cutPrefixFold(key, "node.labels."); ok && equal {
			out.Do = append(out.Do, fmt.Sprintf("docker node update --label-add %s=%s NODE makes a node satisfy %s", name, value, c))
		}
	}
	return out
}

func (b *board) reason(s *Service, v int) string {
	n := &b.nodes[v]
	for _, c := range s.Constraints {
		if !n.Satisfies(c) {
			return "does not satisfy " + c
		}
	}
	if !n.Runs(s.Platforms) {
		return fmt.Sprintf("is %s/%s, %s is for %s", n.OS, commonArch(n.Arch), cmp.Or(s.Image, "the image"), platforms(s.Platforms))
	}
	return "is " + n.away()
}

func platforms(list []Platform) string {
	var out []string
	for _, p := range list {
		text := p.OS
		if p.Arch != "" {
			text += "/" + p.Arch
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return Join(out)
}

// others explains for the nodes outside a set why they are, by reason.
func (b *board) others(s *Service, on *set) []string {
	var list remarks
	for v := range b.nodes {
		if on == nil || !on.has(v) {
			list.add(b.reason(s, v), v)
		}
	}
	return list.lines(b)
}

// remarks says things of nodes, in sentences without their subject: each begins
// with is, does, takes or has.
type remarks []remark

type remark struct {
	nodes []int
	each  bool // it is said of each of them, not of all together
	what  string
}

// add says something of a node, or of several together. What is said of several
// nodes alike becomes one sentence.
func (r *remarks) add(what string, nodes ...int) {
	each := len(nodes) == 1
	for i := range *r {
		switch old := &(*r)[i]; {
		case old.what != what || old.each != each:
		case each:
			old.nodes = append(old.nodes, nodes...)
			return
		case slices.Equal(old.nodes, nodes):
			return
		}
	}
	*r = append(*r, remark{slices.Clone(nodes), each, what})
}

func (r remarks) lines(b *board) []string {
	var out []string
	for _, m := range r {
		out = append(out, b.sentence(m.nodes, m.what, m.each))
	}
	return out
}

// sentence adds the subject: nodes, each of them or all together.
func (b *board) sentence(nodes []int, what string, each bool) string {
	names := b.names(nodes)
	if len(nodes) == 1 {
		return names + " " + what
	}
	verb, rest, _ := strings.Cut(what, " ")
	verb = map[string]string{"is": "are", "does": "do", "takes": "take", "has": "have"}[verb]
	if each && (verb == "have" || verb == "take" && !strings.HasPrefix(rest, "none")) {
		verb = "each " + verb
	}
	return names + " " + verb + " " + rest
}

// explainAlone explains that the nodes take too few tasks even if nothing but
// global services is beside them.
func (b *board) explainAlone(s *Service, on *set, needs []need, fits int) *Shortage {
	out := &Shortage{}
	if b.told++; b.told > explained {
		return out
	}
	var list remarks
	limits := map[string]bool{}
	for _, v := range on.nodes {
		k, tightest := b.takes(s, needs, v)
		why := fmt.Sprintf("replicas_max_per_node = %d", s.MaxPerNode)
		if tightest != nil {
			why = b.limit(tightest, v)
			limits[kindOf(tightest.thing)] = true
		} else {
			limits["max"] = true
		}
		times := "none"
		if k > 0 {
			times = tasks(k)
		}
		list.add(fmt.Sprintf("takes %s: %s", times, why), v)
	}
	out.Why = append(list.lines(b), b.others(s, on)...)
	if limits["port"] {
		out.Do = append(out.Do, "publish the port in ingress mode, which needs no node of its own")
	}
	if limits["max"] {
		out.Do = append(out.Do, "raise replicas_max_per_node")
	}
	if limits["resource"] {
		out.Do = append(out.Do, "reserve less")
	}
	if fits > 0 {
		out.Do = append(out.Do, fmt.Sprintf("replicas = %d fits", fits))
	}
	return out
}

func kindOf(t thing) string {
	if t.kind == hostPort {
		return "port"
	}
	return "resource"
}

// limit says how much of a thing a node has for a task.
func (b *board) limit(n *need, v int) string {
	free, all := b.free(n.thing, v), max(b.nodes[v].has(n.thing), 0)
	if n.kind == hostPort {
		text := "host port " + n.port.String()
		if free == 0 {
			text += " is taken by " + b.pinnedBy(n.thing, v)
		}
		return text
	}
	text := fmt.Sprintf("it has %s, and each task reserves %s", amountOf(n.thing, free), amount(n.thing, n.unit))
	if free < all {
		text = fmt.Sprintf("%s leaves it %s, and each task reserves %s", b.pinnedBy(n.thing, v), amountOf(n.thing, free), amount(n.thing, n.unit))
	}
	return text
}

// pinnedBy names the global services that have a thing of a node.
func (b *board) pinnedBy(t thing, v int) string {
	var names []string
	if t := b.flow(t).takers[b.single(v).key]; t != nil {
		for _, s := range t.shares {
			names = append(names, s.name)
		}
	}
	return Join(names)
}

// explainShared explains that others have what the service needs.
func (b *board) explainShared(s *Service, on *set, short *bottleneck) *Shortage {
	if b.told++; b.told > explained {
		return &Shortage{}
	}
	out := &Shortage{Why: append([]string{b.sentence(short.nodes, b.shared(s, s.Tasks, short), false)}, b.others(s, on)...)}
	if short.kind == hostPort {
		out.Do = []string{"give one of them another port, or keep them on different nodes"}
	} else {
		out.Do = []string{"reserve less, or add a node"}
	}
	return out
}

// shared is the arithmetic: what those nodes have, and who wants it. It is a
// sentence without its subject.
func (b *board) shared(s *Service, count int, short *bottleneck) string {
	n, unit := short.need, short.unit
	if short.whole {
		unit = 1
	}
	var has int64
	for _, v := range short.nodes {
		has += short.flow.size[v]
	}
	wanted := mul(unit, count)
	users := tally{index: map[share]int{}}
	users.add(share{s.Name, count, unit})
	for i := len(short.takers) - 1; i >= 0; i-- {
		for _, u := range slices.Backward(short.takers[i].shares) {
			wanted += mul(u.unit, u.tasks)
			users.add(u)
		}
	}
	slices.Reverse(users.list) // this service comes last
	var list []string
	const most = 6 // as Join shows
	for i, u := range users.list {
		switch more := len(users.list) - most; {
		case more > 0 && i == most-2:
			list = append(list, strconv.Itoa(more+1)+" more services")
		case more <= 0 || i < most-2 || i == len(users.list)-1:
			list = append(list, use(n.thing, u, short.whole))
		}
	}
	if short.whole {
		return fmt.Sprintf("has room for %s that reserve %s or more, and there are %d: %s", tasks(int(has)), amountOf(n.thing, n.unit), wanted, Join(list))
	}
	if n.kind == hostPort {
		return fmt.Sprintf("has host port %s %s, and %d tasks want it: %s", n.port, times(has), wanted, Join(list))
	}
	return fmt.Sprintf("has %s, and %s are reserved: %s", amountOf(n.thing, has), amount(n.thing, wanted), Join(list))
}

// tally adds up the shares of each service.
type tally struct {
	list  []share
	index map[share]int // by name and unit
}

func (t *tally) add(s share) {
	key := share{name: s.name, unit: s.unit}
	if i, ok := t.index[key]; ok {
		t.list[i].tasks += s.tasks
		return
	}
	t.index[key] = len(t.list)
	t.list = append(t.list, s)
}

func use(t thing, s share, whole bool) string {
	switch {
	case whole || t.kind == hostPort:
		return fmt.Sprintf("%s (%d)", s.name, s.tasks)
	case s.tasks == 1:
		return fmt.Sprintf("%s (%s)", s.name, amount(t, s.unit))
	}
	return fmt.Sprintf("%s (%d x %s)", s.name, s.tasks, amount(t, s.unit))
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatInt(n, 10) + " times"
}

func tasks(n int) string {
	if n == 1 {
		return "1 task"
	}
	return strconv.Itoa(n) + " tasks"
}

// amount is a number of a thing in its unit: 1.5 CPUs, 2 GiB, 2 gpu.
func amount(t thing, n int64) string {
	switch t.kind {
	case cpu:
		text := strconv.FormatFloat(float64(n)/1e9, 'f', -1, 64)
		if text == "1" {
			return "1 CPU"
		}
		return text + " CPUs"
	case memory:
		return units.CustomSize("%.4g %s", float64(n), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"})
	}
	return strconv.FormatInt(n, 10) + " " + t.name
}

// amountOf is amount where it is not clear yet what is talked of.
func amountOf(t thing, n int64) string {
	if t.kind == memory {
		return amount(t, n) + " of memory"
	}
	return amount(t, n)
}
