package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/emit"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// items are the objects to declare: by kind as the documentation has them, and
// by name.
func (l *LiveScript) items(s *liveState, project string) ([]*emit.Item, error) {
	all := slices.Clone(s.engine.Objects)
	kinds := map[*resource.Object]*resource.Kind{}
	for _, o := range all {
		kinds[o] = registry.Kind("engine", o.Kind)
	}
	ledger := s.engine.Ledger
	if s.swarm != nil {
		ledger = s.swarm.Ledger
		all = append(all, s.swarm.Objects...)
		for _, o := range s.swarm.Objects {
			kinds[o] = registry.Kind("swarm", o.Kind)
		}
	}
	if ledger.HashKey != nil {
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("project %s exists there already", project),
			Hint: "its script is what declares it; --project gives what is imported another name"}
	}
	used := map[string]bool{} // by what is nobody's
	for _, o := range all {
		for _, id := range o.Uses {
			used[id] = used[id] || o.Mark.Project == ""
		}
	}
	var items []*emit.Item
	left := map[string]int{}
	for _, o := range all {
		k := kinds[o]
		if k == nil || k.Opens != "" || o.Unlisted && !spokenOf(k, o) || generated(k, o) {
			continue
		}
		i := &emit.Item{Kind: k, Object: o}
		if o.Mark.Project != "" {
			if !used[o.ID] {
				left[o.Mark.Project]++
				continue
			}
			i.External, i.Comment = true, []string{"of project " + o.Mark.Project}
		} else if o.Listed {
			i.External, i.Comment = true, []string{unread}
		} else if k.MarkFixed && k.Scope == "engine" && !s.keeps {
			i.External, i.Comment = true, []string{unmarkable}
		} else if s.unsure[o] {
			i.Comment = []string{maybeChosen}
		}
		items = append(items, i)
	}
	for _, p := range slices.Sorted(maps.Keys(left)) {
		l.Notes = append(l.Notes, fmt.Sprintf("left out: %s of project %s", counted(left[p], "object"), p))
	}
	order := map[*resource.Kind]int{}
	for n, k := range registry.Kinds() {
		order[k] = n
	}
	slices.SortStableFunc(items, func(a, b *emit.Item) int {
		if n := order[a.Kind] - order[b.Kind]; n != 0 {
			return n
		}
		return strings.Compare(a.Object.Name, b.Object.Name)
	})
	return items, nil
}

// spokenOf reports whether somebody has set anything of an object that is found,
// not made: a node's labels, say.
func spokenOf(k *resource.Kind, o *resource.Object) bool {
	if k.Find == nil || k.Given == nil {
		return false
	}
	args := k.Given(o)
	return slices.ContainsFunc(k.Schema.Fields(), func(f *schema.Field) bool {
		m, isMap := args[f.Index].(*value.Map)
		return !f.Local && args[f.Index] != nil && !(isMap && (m == nil || len(m.Entries) == 0))
	})
}

// unmarkable is the comment on what cannot become a project's.
const unmarkable = "looked up only, not managed: its labels cannot be changed, and an engine keeps no marks"

// maybeChosen is the comment on a network whose subnets are written to be safe.
const maybeChosen = "The subnets may be the swarm's own choice: no task tells. Leave them out where any will do."

// unread is the comment on what only a list told of.
const unread = "looked up only, not managed: what of it the image says, only who made it knows"

// hexName is a name that an engine made, such as an anonymous volume's.
var hexName = pattern.Of(`^[0-9a-f]{64}$`)

// generated reports whether an object was made along with another, which is
// what is declared: a container of a swarm's task, an anonymous volume.
func generated(k *resource.Kind, o *resource.Object) bool {
	f, ok := k.Schema.Field("labels")
	if !ok || hexName().MatchString(o.Name) {
		return ok
	}
	labels, _ := value.Reveal(o.Args[f.Index]).(*value.Map)
	_, task := labels.Get("com.docker.swarm.task.id")
	_, anonymous := labels.Get("com.docker.volume.anonymous")
	return task || anonymous
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// secretLike is a name of what should not be in a script. What ends in _FILE
// names a file, not the secret.
var secretLike = pattern.Of(`(?i)(passw|secret|token|api_?key|private_?key|credential)`)

// sum counts what was declared, lists it for import, and notes what looks like
// a secret.
func (l *LiveScript) sum(items []*emit.Item, engine string) {
	for _, i := range items {
		if i.External {
			l.External++
			continue
		}
		l.Declared++
		scope := "swarm." + swarmName
		if i.Kind.Scope == "engine" {
			scope = "engine." + engine
		}
		addr := value.NewAddress(scope, i.Kind.Name, i.Object.Name)
		l.Imports = append(l.Imports, plan.Import{Address: string(addr), Object: i.Object.ID})
		for _, f := range i.Kind.Schema.Fields() {
			l.noteSecrets(addr, f.Name, i.Object.Args[f.Index])
		}
	}
}

func (l *LiveScript) noteSecrets(addr value.Address, field string, v value.Value) {
	m, ok := v.(*value.Map)
	if !ok || m == nil {
		return
	}
	for _, e := range m.Entries {
		s, ok := e.Value.(string)
		if ok && s != "" && secretLike().MatchString(e.Key) && !strings.HasSuffix(strings.ToUpper(e.Key), "_FILE") {
			l.Notes = append(l.Notes, fmt.Sprintf("%s: %s[%q] looks like a secret, and is in the script as it is: env(%q, sensitive = True) keeps it out",
				addr.Short(), field, e.Key, e.Key))
		}
	}
}

// swarmName is what swarm.init calls a swarm that the script gives no name.
const swarmName = "main"
