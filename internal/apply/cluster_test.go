package apply

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The model cluster: machines of a cloud, an engine on each, and a swarm whose
// managers answer while most of them are there. Whoever brings the swarm into
// danger is written down.
type site struct {
	mu       sync.Mutex
	kinds    map[string]*resource.Kind
	machines map[string]*machine // by name
	swarm    *cluster
	nextID   int
	budget   int // writes until the crash; negative: never
	after    bool
	crashed  bool
	ending   bool // all is to go
	sins     []string
}

type machine struct {
	id, name, size string
	mark           resource.Mark
	engine         bool
	engineMark     resource.Mark
	node           string // what its engine takes itself for
}

type cluster struct {
	id      string
	mark    resource.Mark
	members map[string]*member
}

type member struct {
	id, name, role string
	mark           resource.Mark
}

func newSite() *site {
	s := &site{machines: map[string]*machine{}, budget: -1}
	s.kinds = s.makeKinds()
	return s
}

func (s *site) id(what string) string { s.nextID++; return fmt.Sprint(what, s.nextID) }

func (s *site) sin(format string, args ...any) { s.sins = append(s.sins, fmt.Sprintf(format, args...)) }

// write counts one write: whether it takes effect, and whether its answer arrives.
func (s *site) write() (effect, answer bool) {
	switch {
	case s.crashed:
		return false, false
	case s.budget == 0:
		s.crashed = true
		return s.after, false
	case s.budget > 0:
		s.budget--
	}
	return true, true
}

// of returns the machine that is a member, nil where it is gone or is another by
// now.
func (s *site) of(m *member) *machine {
	for _, x := range s.machines {
		if x.node == m.id {
			return x
		}
	}
	return nil
}

// answers reports whether the swarm can be changed, without one of its members.
func (c *cluster) answers(s *site, without string) bool {
	all, up := 0, 0
	for _, m := range c.members {
		if m.role != "manager" || m.id == without {
			continue
		}
		all++
		if s.of(m) != nil {
			up++
		}
	}
	return all > 0 && up > all/2
}

type siteConn struct {
	s       *site
	typ     string   // "cloud", "host", "engine", "swarm"
	machine *machine // of a host and its engine, and what a swarm is reached through
	swarm   string
}

func (c *siteConn) Close() error { return nil }

// there reports whether the machine still answers.
func (c *siteConn) there() bool { return c.machine == nil || c.s.machines[c.machine.name] == c.machine }

func (c *siteConn) Observe(_ context.Context, _ resource.Query) (*resource.Observation, error) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed {
		return nil, errCrash
	}
	if !c.there() || c.typ == "engine" && !c.machine.engine {
		return nil, fmt.Errorf("%s: %w", c.machine.name, resource.ErrUnreachable)
	}
	obs := &resource.Observation{}
	add := func(kind, id, name string, mark resource.Mark, args ...value.Value) {
		obs.Objects = append(obs.Objects, &resource.Object{Kind: kind, ID: id, Name: name, Mark: mark, Args: append(value.Struct{name}, args...), Out: map[string]value.Value{"id": id}, Native: c})
	}
	switch c.typ {
	case "cloud":
		for _, name := range sortedNames(s.machines) {
			m := s.machines[name]
			add("vm", m.id, m.name, m.mark, m.size, "")
		}
	case "host":
		if c.machine.engine {
			add("docker", "e-"+c.machine.id, c.machine.name, c.machine.engineMark, "", "")
		}
	case "engine":
		obs.Node = c.machine.node
		if s.swarm != nil && s.swarm.members[c.machine.node] != nil && s.swarm.members[c.machine.node].role == "manager" && s.swarm.answers(s, "") {
			add("swarm", s.swarm.id, "main", s.swarm.mark, "", "")
		} else if c.machine.node != "" {
			add("swarm", "of "+c.machine.node, "", resource.Mark{}, "", "")
		}
	case "swarm":
		me := s.swarm
		if me == nil || me.id != c.swarm || me.members[c.machine.node] == nil || me.members[c.machine.node].role != "manager" || !me.answers(s, "") {
			return nil, fmt.Errorf("swarm by %s: %w", c.machine.name, resource.ErrUnreachable)
		}
		for _, id := range sortedNames(me.members) {
			m := me.members[id]
			add("node", m.id, m.name, m.mark, "", m.role)
		}
	}
	return obs, nil
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// siteKind handles the objects of the model cluster.
type siteKind struct {
	s    *site
	kind string
}

func (h siteKind) Create(_ context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	s := h.s
	s.mu.Lock()
	defer s.mu.Unlock()
	effect, answer := s.write()
	if !effect {
		return nil, errCrash
	}
	conn := c.(*siteConn)
	o := &resource.Object{Kind: h.kind, Name: r.Address.Name(), Mark: r.Mark, Args: r.Args, Out: map[string]value.Value{}}
	if !conn.there() {
		return nil, resource.ErrUnreachable
	}
	switch h.kind {
	case "vm":
		if s.machines[o.Name] != nil {
			return nil, resource.ErrExists
		}
		m := &machine{id: s.id("m"), name: o.Name, size: value.Text(r.Args[1]), mark: r.Mark}
		s.machines[o.Name], o.ID = m, m.id
	case "docker":
		conn.machine.engine, conn.machine.engineMark = true, r.Mark
		o.ID = "e-" + conn.machine.id
	case "swarm":
		if conn.machine.node != "" {
			return nil, fmt.Errorf("%s is in a swarm", conn.machine.name)
		}
		if s.swarm != nil && s.swarm.answers(s, "") {
			s.sin("a second swarm is made on %s", conn.machine.name)
		}
		n := &member{id: s.id("n"), name: conn.machine.name, role: "manager"}
		s.swarm = &cluster{id: s.id("s"), mark: r.Mark, members: map[string]*member{n.id: n}}
		conn.machine.node, o.ID = n.id, s.swarm.id
	case "node":
		if err := h.join(conn, r, o); err != nil {
			return nil, err
		}
	}
	if !answer {
		return nil, errCrash
	}
	return o, nil
}

func (h siteKind) join(conn *siteConn, r *resource.Request, o *resource.Object) error {
	s := h.s
	on, ok := r.On.(*siteConn)
	if !ok || !on.there() {
		return fmt.Errorf("%s joins from nowhere: %w", r.Address, resource.ErrUnreachable)
	}
	if on.machine.node != "" {
		return resource.ErrExists
	}
	if s.swarm == nil || s.swarm.id != conn.swarm || !s.swarm.answers(s, "") {
		return fmt.Errorf("no manager answers: %w", resource.ErrUnreachable)
	}
	n := &member{id: s.id("n"), name: on.machine.name, role: value.Text(r.Args[2]), mark: r.Mark}
	s.swarm.members[n.id], on.machine.node, o.ID = n, n.id, n.id
	return nil
}

func (h siteKind) Update(_ context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	s := h.s
	s.mu.Lock()
	defer s.mu.Unlock()
	effect, answer := s.write()
	if !effect {
		return nil, errCrash
	}
	o := *r.Live
	o.Mark, o.Args = r.Mark, r.Args
	switch h.kind {
	case "vm":
		for _, m := range s.machines {
			if m.id == r.Live.ID {
				m.mark = r.Mark
			}
		}
	case "docker":
		c.(*siteConn).machine.engineMark = r.Mark
	case "swarm":
		s.swarm.mark = r.Mark
	case "node":
		if s.swarm == nil || s.swarm.members[r.Live.ID] == nil || !s.swarm.answers(s, "") {
			return nil, fmt.Errorf("no manager answers: %w", resource.ErrUnreachable)
		}
		m := s.swarm.members[r.Live.ID]
		if role := value.Text(r.Args[2]); m.role == "manager" && role != m.role {
			s.leaving(m, "demoted")
		}
		m.mark, m.role = r.Mark, value.Text(r.Args[2])
	}
	if !answer {
		return nil, errCrash
	}
	return &o, nil
}

// leaving writes down a manager that must not go now.
func (s *site) leaving(m *member, how string) {
	if m.role == "manager" && !s.swarm.answers(s, m.id) {
		s.sin("%s is %s, and the managers that are left do not answer", m.name, how)
	}
}

func (h siteKind) Delete(_ context.Context, c resource.Conn, r *resource.Request) error {
	s := h.s
	s.mu.Lock()
	defer s.mu.Unlock()
	effect, answer := s.write()
	if !effect {
		return errCrash
	}
	conn := c.(*siteConn)
	switch h.kind {
	case "vm":
		m := s.machines[r.Live.Name]
		if m == nil || m.id != r.Live.ID {
			break
		}
		if s.swarm != nil && s.swarm.members[m.node] != nil && s.swarm.answers(s, m.node) && !s.ending {
			s.sin("the machine %s is taken away while it is in the swarm", m.name)
		}
		delete(s.machines, m.name)
	case "docker":
		if conn.there() {
			if conn.machine.node != "" {
				s.sin("the engine of %s is taken away while it is in a swarm", conn.machine.name)
			}
			conn.machine.engine = false
		}
	case "swarm":
		s.swarm = nil
		conn.machine.node = ""
	case "node":
		if err := h.leave(conn, r); err != nil {
			return err
		}
	}
	if !answer {
		return errCrash
	}
	return nil
}

func (h siteKind) leave(conn *siteConn, r *resource.Request) error {
	s := h.s
	on, _ := r.On.(*siteConn)
	if on != nil && on.there() && on.machine.node == r.Live.ID {
		defer func() { on.machine.node = "" }()
	}
	if r.Ends {
		return nil
	}
	if s.swarm == nil || !s.swarm.answers(s, "") {
		return fmt.Errorf("no manager answers: %w", resource.ErrUnreachable)
	}
	m := s.swarm.members[r.Live.ID]
	if m == nil {
		return nil
	}
	if m.mark.On == "" || on == nil && s.of(m) != nil {
		s.sin("%s is taken out of the swarm, and does not know", m.name)
	}
	s.leaving(m, "removed")
	delete(s.swarm.members, m.id)
	return nil
}

func (h siteKind) Open(_ context.Context, parent resource.Conn, o *resource.Object) (resource.Conn, error) {
	p := parent.(*siteConn)
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	switch h.kind {
	case "vm":
		for _, m := range p.s.machines {
			if m.id == o.ID {
				return &siteConn{s: p.s, typ: "host", machine: m}, nil
			}
		}
		return nil, fmt.Errorf("machine %s: %w", o.Name, resource.ErrUnreachable)
	case "docker":
		return &siteConn{s: p.s, typ: "engine", machine: p.machine}, nil
	}
	return &siteConn{s: p.s, typ: "swarm", machine: p.machine, swarm: o.ID}, nil
}

type siteSpec struct {
	Name string `star:"name,pos,local"`
	Size string `star:"size,replace"`
	Role string `star:"role"`
}

func (s *site) makeKinds() map[string]*resource.Kind {
	out := []resource.Output{{Name: "id", Type: "string", Stable: true}}
	kind := func(name, scope string) *resource.Kind {
		return &resource.Kind{Name: name, Schema: schema.Of(siteSpec{}), Out: out, Scope: scope, Handler: siteKind{s, name}}
	}
	vm, docker, swarm, node := kind("vm", "cloud"), kind("docker", "host"), kind("swarm", "engine"), kind("node", "swarm")
	vm.Opens, docker.Opens, swarm.Opens = "host", "engine", "swarm"
	docker.Single, docker.Keeps, swarm.Single, swarm.DataLoss = true, true, true, "the swarm"
	node.Find = func([]*resource.Object, func(*resource.Object) bool, value.Struct) (*resource.Object, *diag.Diagnostic) {
		panic("a node is found by its engine")
	}
	node.StepsDown = func(changes []schema.Change) bool {
		return slices.ContainsFunc(changes, func(c schema.Change) bool { return c.Field.Name == "role" && c.After == "worker" })
	}
	node.Sequence = s.sequence
	return map[string]*resource.Kind{"vm": vm, "docker": docker, "swarm": swarm, "node": node}
}

// sequence changes managers one by one: first the dead go, then those come that
// are new, then those go and come back whose machines are made anew, then the
// others go. It refuses what would bring the swarm into danger.
func (s *site) sequence(objects []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	anew := map[value.Address][]resource.Planned{}
	for _, p := range planned {
		anew[p.Address] = append(anew[p.Address], p)
	}
	up := func(o *resource.Object) bool {
		return s.swarm.members[o.ID] != nil && s.of(s.swarm.members[o.ID]) != nil
	}
	var dead, come, again, leave []resource.Planned
	for _, p := range planned {
		was := p.Live != nil && p.Live.Args[2] == "manager"
		will := !p.Goes && p.Args != nil && p.Args[2] == "manager"
		pair := anew[p.Address]
		switch {
		case !was && !will:
		case len(pair) == 2 && p.Goes:
			if again = append(again, p); pair[0].Args != nil && pair[0].Args[2] == "manager" {
				again = append(again, pair[0])
			}
		case len(pair) == 2 && slices.ContainsFunc(pair, func(o resource.Planned) bool { return o.Live != nil && o.Live.Args[2] == "manager" }):
		case will:
			come = append(come, p)
		case up(p.Live):
			leave = append(leave, p)
		default:
			dead = append(dead, p)
		}
	}
	out := slices.Concat(dead, come, again, leave)
	all, living := 0, 0
	for _, o := range objects {
		if o.Args[2] == "manager" {
			all++
			if up(o) {
				living++
			}
		}
	}
	for _, p := range out {
		if !p.Goes && p.Args[2] == "manager" {
			all, living = all+1, living+1
		} else {
			if all--; up(p.Live) {
				living--
			}
			if c := p.Live.Native.(*siteConn); c.machine != nil && c.machine.node == p.Live.ID {
				return nil, &diag.Diagnostic{Summary: "the swarm is reached through " + p.Live.Name}
			}
		}
		if len(objects) > 0 && living < all/2+1 {
			return nil, &diag.Diagnostic{Summary: "would lose the quorum"}
		}
	}
	return out, nil
}
