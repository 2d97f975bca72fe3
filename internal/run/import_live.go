package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/emit"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/format"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/lang"
)

// LiveScriptOptions say what [ImportLive] writes.
type LiveScriptOptions struct {
	// Project is the name that the script gets, with an environment after a
	// slash.
	Project string
	// Host or Context say which engine is meant, in place of the environment.
	Host, Context string
	// Beside allows long configs to be files beside the script.
	Beside bool
	// File is where the script goes, for the comment at its top.
	File string
}

// LiveScript is a script that declares what is live.
type LiveScript struct {
	Text  []byte
	Files map[string]string // beside the script
	// Notes are what a person should know: what was left out, what looks like a
	// secret.
	Notes []string
	// Imports are the declared objects, for their marks.
	Imports []plan.Import
	// Declared and External count the objects.
	Declared, External int
}

// liveState is what is live on one engine and in its swarm.
type liveState struct {
	engine, swarm *resource.Observation     // swarm is nil where there is none
	unsure        map[*resource.Object]bool // networks whose subnets may be the swarm's choice
	keeps         bool                      // the engine keeps the marks of what cannot carry its own
}

// ImportLive writes a script that declares everything on an engine and in its
// swarm. It only reads.
//
// The script is evaluated and planned against what was read before it is
// returned. An object that its own declaration would change, because something
// of it cannot be said, is declared as external: so the first plan changes
// nothing.
func ImportLive(ctx context.Context, opts LiveScriptOptions) (*LiveScript, error) {
	if err := checkProject(opts.Project); err != nil {
		return nil, err
	}
	s, err := readLive(ctx, opts)
	if err != nil {
		return nil, err
	}
	l := &LiveScript{}
	items, err := l.items(s, opts.Project)
	if err != nil {
		return nil, err
	}
	in := emit.Input{Header: header(opts), Project: opts.Project, Engine: engineCall(opts, items), Swarm: s.swarm != nil, Items: items, Kinds: registry.Kinds()}
	in.Reserved = builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds()).Predeclared().Keys()
	in.Reserved = append(in.Reserved, lang.Names()...)
	if in.Items, err = l.settle(ctx, in, s, opts.Project); err != nil {
		return nil, err
	}
	in.Beside = opts.Beside
	out, _ := emit.Write(in)
	l.Files = out.Files
	l.Text, err = format.Source("cluster.star", []byte(out.Text))
	if err != nil {
		return nil, fmt.Errorf("the script that was written is not right, which is a mistake of this program: %w", err)
	}
	l.sum(in.Items, engineName(opts))
	return l, nil
}

func checkProject(project string) error {
	if project == "" {
		return errors.New("a project needs a name")
	}
	name, env, _ := strings.Cut(project, "/")
	src := fmt.Sprintf("project(%q, env = %q)\n", name, env)
	_, err := evaluateText(context.Background(), src)
	if list := diag.From(err); len(list) > 0 {
		return &diag.Diagnostic{Summary: list[0].Summary, Hint: list[0].Hint}
	}
	return nil
}

// readLive observes the engine, and its swarm.
func readLive(ctx context.Context, opts LiveScriptOptions) (*liveState, error) {
	conn, err := engine.Connect(remote.Endpoint{Host: opts.Host, Context: opts.Context})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	s := &liveState{}
	s.keeps = keepsMarks(conn)
	// What carries no mark, such as an image, cannot be taken over, and is not
	// asked for.
	if s.engine, err = conn.Observe(ctx, resource.Query{Project: opts.Project}); err != nil {
		return nil, err
	}
	for _, o := range s.engine.Objects {
		k := registry.Kind("engine", o.Kind)
		if k == nil || k.Opens != "swarm" {
			continue
		}
		inner, err := k.Handler.(resource.Opener).Open(ctx, conn, o)
		if err != nil {
			return nil, err
		}
		defer inner.Close()
		q := resource.Query{Project: opts.Project, Kinds: map[string]bool{}}
		for _, k := range registry.Kinds() {
			q.Kinds[k.Name] = k.Scope == "swarm"
		}
		if s.swarm, err = inner.Observe(ctx, q); err != nil {
			return nil, err
		}
		unsure, err := inner.(*swarm.Conn).ForgetChosenSubnets(ctx, s.swarm.Objects)
		if err != nil {
			return nil, err
		}
		s.unsure = map[*resource.Object]bool{}
		for _, o := range unsure {
			s.unsure[o] = true
		}
	}
	return s, nil
}

func header(opts LiveScriptOptions) []string {
	file := opts.File
	if file == "" {
		file = defaultScript
	}
	return []string{
		"What was live, written by swarmscript import --live.",
		"",
		"  swarmscript plan --adopt-all " + file,
		"      shows that nothing changes but marks, by which the next run knows what is ours",
		"  swarmscript apply --adopt-all " + file,
		"      writes them; nothing is restarted",
	}
}

// defaultScript is the file that the verbs take where none is given.
const defaultScript = "cluster.star"

// engineCall names the engine where the environment does not, and where
// something lives on it.
func engineCall(opts LiveScriptOptions, items []*emit.Item) string {
	switch {
	case opts.Host != "":
		return fmt.Sprintf("engine(%q, name = %q)", opts.Host, engineName(opts))
	case opts.Context != "":
		return fmt.Sprintf("engine(context = %q, name = %q)", opts.Context, engineName(opts))
	case slices.ContainsFunc(items, func(i *emit.Item) bool { return i.Kind.Scope == "engine" }):
		return "engine()"
	}
	return ""
}

// engineName is what the script calls the engine.
func engineName(opts LiveScriptOptions) string {
	if opts.Host != "" || opts.Context != "" {
		return "main"
	}
	return "default"
}

// settle plans the script, and makes external what it would change, until it
// changes nothing. It returns the items that are left.
func (l *LiveScript) settle(ctx context.Context, in emit.Input, s *liveState, project string) ([]*emit.Item, error) {
	for {
		out, failed := emit.Write(in)
		wrong := map[*emit.Item]string{}
		for i, err := range failed {
			wrong[i] = err.Error()
		}
		if len(wrong) == 0 {
			var err error
			if wrong, err = check(ctx, out, s, project); err != nil {
				return nil, err
			}
		}
		if len(wrong) == 0 {
			return in.Items, nil
		}
		in.Items = slices.DeleteFunc(slices.Clone(in.Items), func(i *emit.Item) bool {
			why, ok := wrong[i]
			if ok && i.External { // it cannot even be named
				l.Notes = append(l.Notes, fmt.Sprintf("left out: %s %q: %s", i.Kind.Name, i.Object.Name, why))
				return true
			}
			if ok {
				i.External = true
				i.Comment = append(i.Comment, whyExternal(i, why))
			}
			return false
		})
	}
}

// whyExternal is the comment on what cannot be declared.
func whyExternal(i *emit.Item, why string) string {
	for _, f := range i.Kind.Schema.Fields() {
		if f.Secret && f.WriteOnly && i.Object.Args[f.Index] == nil {
			return fmt.Sprintf("What it holds cannot be read back. To have it here: %s(%q, %s = env(\"...\", sensitive = True))",
				i.Kind.Name, i.Object.Name, f.Name)
		}
	}
	return "looked up only, not managed: " + why
}

// check evaluates a script, plans it against what was observed, and says what
// is wrong with which item.
func check(ctx context.Context, out *emit.Output, s *liveState, project string) (map[*emit.Item]string, error) {
	wrong := map[*emit.Item]string{}
	blame := func(list diag.List) error {
		for _, d := range list {
			i := out.At(d.Pos.Line)
			if i == nil {
				return fmt.Errorf("the script that was written is not right, which is a mistake of this program: %w", list)
			}
			if wrong[i] == "" {
				wrong[i] = d.Summary
			}
		}
		return nil
	}
	program, err := evaluateText(ctx, out.Text)
	if err != nil {
		return wrong, blame(diag.From(err))
	}
	scopes := map[string]*plan.ScopeState{}
	for _, sc := range program.Scopes {
		st := &plan.ScopeState{Scope: sc, Obs: s.engine}
		if sc.Type == "swarm" {
			st.Obs = s.swarm
		}
		scopes[sc.Address] = st
	}
	built, problems := plan.Build(plan.Input{Program: program, Scopes: scopes, Kinds: registry.Kind, Options: plan.Options{AdoptAll: true}})
	if built == nil {
		return wrong, blame(problems)
	}
	for _, c := range built.Changes {
		if c.Decl == nil {
			return nil, fmt.Errorf("%s is in the way: it carries the mark of project %s", c.Address, project)
		}
		i := out.At(c.Decl.Pos.Line)
		if i == nil { // the swarm
			continue
		}
		switch {
		case c.Action == plan.NoOp, c.Action == plan.Read, c.Action == plan.Update && len(c.Fields) == 0 && !c.Restart:
		case len(c.Fields) > 0:
			wrong[i] = "a script cannot say its " + c.Fields[0].Path + " as it is"
		default:
			wrong[i] = fmt.Sprintf("an apply would %s it", c.Action)
		}
	}
	return wrong, nil
}

// evaluateText runs a script that is no file.
func evaluateText(ctx context.Context, text string) (*resource.Program, error) {
	rec := builtins.NewRecorder(&builtins.Inputs{Env: func(string) (string, bool) { return "", false }}, registry.Kinds())
	session := lang.NewSession(lang.Options{Predeclared: rec.Predeclared()})
	if _, err := session.ExecSource(ctx, defaultScript, []byte(text)); err != nil {
		return nil, err
	}
	program, problems := rec.Program()
	return program, problems.Err()
}
