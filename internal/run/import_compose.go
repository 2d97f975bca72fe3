package run

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/compose"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/emit"
	"github.com/swarmscript/swarmscript/internal/format"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/lang"
)

// ComposeOptions say what [ImportCompose] writes.
type ComposeOptions struct {
	// Files are the compose files; their paths, and those in them, are relative to
	// the current folder, and to the first file's.
	Files, EnvFiles, Profiles []string
	// Project is the name that the script gets, with an environment after a
	// slash, and Stack the one that the objects' names begin with; "" for that of
	// the first file's folder.
	Project, Stack string
	// File is where the script goes, "" for one beside the first file.
	File string
	Env  func(name string) (string, bool)
}

// ImportCompose writes a script that declares, one by one, what compose files
// say: what stack() declares of them. The texts of the files are returned for
// showing lines of them.
func ImportCompose(ctx context.Context, opts ComposeOptions) (*LiveScript, map[string][]byte, error) {
	root, err := filepath.Abs(filepath.Dir(opts.Files[0]))
	if opts.File != "" && err == nil {
		root, err = filepath.Abs(filepath.Dir(opts.File))
	}
	if err != nil {
		return nil, nil, err
	}
	o := compose.Options{Name: opts.Stack, Root: root, Profiles: opts.Profiles, Env: opts.Env, Build: true}
	if o.Name == "" {
		o.Name = stackNameOf(opts.Files[0])
	}
	if opts.Project == "" {
		opts.Project = o.Name
	}
	if err := checkProject(opts.Project); err != nil {
		return nil, nil, err
	}
	if o.Files, err = below(root, opts.Files); err != nil {
		return nil, nil, err
	}
	if o.EnvFiles, err = below(root, opts.EnvFiles); err != nil {
		return nil, nil, err
	}
	session := lang.NewSession(lang.Options{Root: root}) // what a script may not read, this does not either
	o.Read, o.Exists = session.ReadPath, session.HasFile
	stack, texts, vars, err := loadMarked(ctx, o)
	if err != nil {
		return nil, texts, err
	}
	if problems := badNames(stack); problems != nil {
		return nil, texts, problems
	}
	l := &LiveScript{}
	in := emit.Input{Header: composeHeader(opts), Project: opts.Project, Swarm: true, Kinds: registry.Kinds(), Items: l.parts(stack), Expressions: vars.expressions()}
	in.Reserved = append(builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds()).Predeclared().Keys(), lang.Names()...)
	out, failed := emit.Write(in)
	for i, err := range failed {
		return nil, texts, fmt.Errorf("%s %s: %w", i.Kind.Name, i.Object.Name, err)
	}
	for _, w := range stack.Warnings {
		l.Notes = append(l.Notes, "warning: "+w.Error())
	}
	l.Notes = append(l.Notes, vars.notes()...)
	l.Text, err = format.Source("cluster.star", []byte(out.Text))
	if err != nil {
		err = fmt.Errorf("the script that was written is not right, which is a mistake of this program: %w", err)
	}
	return l, texts, err
}

// badNames are the names that a declaration of the script could not have.
func badNames(s *compose.Stack) (problems diag.List) {
	for _, p := range s.Parts {
		if p.External || p.Kind.Check == nil {
			continue
		}
		for _, w := range p.Kind.Check(p.Args) {
			if w.Path == "name" { // not the rest: the content of a secret is not here
				problems = append(problems, &diag.Diagnostic{Pos: p.Pos, Summary: fmt.Sprintf("%s %s: name: %s", p.Kind.Name, p.Key, w.Msg)})
			}
		}
	}
	return problems
}

func composeHeader(opts ComposeOptions) []string {
	names := make([]string, len(opts.Files))
	for i, f := range opts.Files {
		names[i] = filepath.Base(f)
	}
	return []string{"What " + strings.Join(names, " and ") + " says, written by swarmscript import --compose."}
}

// stackNameOf is the name of a file's folder, as far as it may be a stack's.
func stackNameOf(file string) string {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "stack"
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, strings.ToLower(filepath.Base(dir)))
	if name = strings.TrimLeft(name, "-_"); name == "" {
		return "stack"
	}
	return name
}

// below returns paths as seen from a folder, which they must be in: a script
// reads nothing else.
func below(root string, paths []string) (out []string, err error) {
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(root, abs)
		if rel = filepath.ToSlash(rel); err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
			return nil, &diag.Diagnostic{Summary: fmt.Sprintf("%s is not below the script's folder %s", p, root), Hint: "a script reads only what is: write it beside the file"}
		}
		out = append(out, rel)
	}
	return out, nil
}

// parts are the declarations of a stack's parts.
func (l *LiveScript) parts(s *compose.Stack) (items []*emit.Item) {
	services, built := map[string]*emit.Item{}, map[*compose.Part]*emit.Item{}
	for _, p := range s.Parts {
		i := &emit.Item{Kind: p.Kind, Object: &resource.Object{Kind: p.Kind.Name, Name: p.Name, Args: p.Args}, External: p.External, Said: p.Args}
		content := map[string]string{"secret": "value", "config": "content"}[p.Kind.Name]
		if w := written(p.From, content == "value"); w != "" {
			i.Written = map[string]string{content: w}
			// The content itself, which may be no text, is not looked at.
			f, _ := p.Kind.Schema.Field(content)
			i.Said = slices.Clone(p.Args)
			i.Said[f.Index] = "written"
		}
		if p.SecretsFrom != nil {
			var entries []string
			for _, id := range slices.Sorted(maps.Keys(p.SecretsFrom)) {
				if w := written(p.SecretsFrom[id], true); w != "" {
					entries = append(entries, strconv.Quote(id)+": "+w)
				}
			}
			i.Written = map[string]string{"secrets": "{" + strings.Join(entries, ", ") + "}"}
		}
		if l.Declared++; p.External {
			l.Declared, l.External = l.Declared-1, l.External+1
		}
		if p.Kind.Name == "service" {
			services[p.Key] = i
		}
		if p.Built != nil {
			f, _ := p.Kind.Schema.Field("image")
			built[p.Built].Image, _ = p.Args[f.Index].(string)
		}
		built[p] = i
		items = append(items, i)
	}
	for _, p := range s.Parts {
		for _, key := range p.After {
			services[p.Key].After = append(services[p.Key].After, services[key])
		}
	}
	return items
}

// written is what a script has in the place of a content, "" where it has the
// content itself.
func written(from compose.Source, sensitive bool) string {
	switch {
	case from.File != "":
		return "read_file(" + strconv.Quote(from.File) + ")"
	case from.Env != "" && sensitive:
		return "env(" + strconv.Quote(from.Env) + ", sensitive = True)"
	case from.Env != "":
		return "env(" + strconv.Quote(from.Env) + ")"
	}
	return ""
}
