// Package compose turns compose files into declarations: what
// `docker stack deploy` makes of a file, as resources of the kinds that a script
// can declare by hand.
//
// compose-go reads the files: it merges, interpolates, extends and includes.
// What it leaves is converted to the specs of the kinds, with the names, labels
// and defaults of the docker CLI. An argument that the files do not say stays
// unsaid, so that what is silent in a file is silent in the declaration too. What
// a swarm cannot do is told with its place in the file.
package compose

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The labels by which `docker stack` knows what belongs to a stack.
const (
	LabelNamespace = "com.docker.stack.namespace"
	LabelImage     = "com.docker.stack.image"
)

// Options say what to load. Paths are slash-separated and relative to Root,
// which is an absolute path of the system.
type Options struct {
	Name     string
	Root     string
	Files    []string
	EnvFiles []string
	Profiles []string
	// Vars are what is interpolated; they win over the environment, and that
	// over the files of EnvFiles.
	Vars map[string]string
	// Env looks up the environment, for the names that the files ask for. May be
	// nil.
	Env func(name string) (string, bool)
	// Images are the services whose images the script gives, in place of image and
	// build.
	Images []string
	// Build builds the images of services that say how; otherwise it is ignored, as
	// by `docker stack deploy`. Push says whether they are pushed; nil where their
	// names have a registry's host in them.
	Build bool
	Push  *bool
	// Read reads a file, by its path from the root.
	Read func(path string) ([]byte, error)
	// Exists reports whether there is a file, by its path from the root, without
	// reading it.
	Exists func(path string) bool
	// Keep is a folder of the user's where what a load came to is kept for the next
	// one, "" for none.
	Keep string
}

// Stack is what compose files declare.
type Stack struct {
	Name  string
	Parts []*Part // what others use comes first
	// Warnings are what a swarm cannot do of it, in the order of the files.
	Warnings diag.List
	// Filling are the variables that .env and its like give, and EnvFiled those
	// whose values services have from their env files, which may be passwords.
	Filling, EnvFiled []string
}

// Part is one object of a stack.
type Part struct {
	Kind *resource.Kind
	Key  string // its name in the file
	Name string // and in the swarm: shop_web
	// External parts are somebody else's.
	External bool
	// Args are those that the files say, by the kind's schema. Other parts are in
	// them by their names in the swarm.
	Args value.Struct
	// After are the keys of the services that come first.
	After []string
	// Built is the build of a service's image, nil where it is not built.
	Built *Part
	// From says where the content of a secret or config is.
	From Source
	// SecretsFrom says the same of a build's secrets, by their IDs.
	SecretsFrom map[string]Source
	Pos         diag.Pos
	// args are the places of the keys that arguments come from.
	args func(arg string) diag.Pos
}

// Source is where a content comes from: a file, by its path from the root, or a
// variable; neither where a compose file holds it itself.
type Source struct{ File, Env string }

// At returns the place in a file that an argument comes from.
func (p *Part) At(arg string) diag.Pos {
	if p.args != nil {
		if pos := p.args(arg); pos.IsValid() {
			return pos
		}
	}
	return p.Pos
}

// Texts returns the text of each file that was read, by its path, for showing
// the lines of problems.
type Texts map[string][]byte

// Load reads the files and converts them. The stack is nil where one of the
// problems is an error.
func Load(ctx context.Context, o Options) (*Stack, Texts, diag.List) {
	in := newInput(o)
	if problems := in.read(); problems != nil {
		return nil, in.texts, problems
	}
	in.environment()
	k := in.keeper()
	if s := in.kept(k); s != nil {
		return s, in.texts, nil
	}
	p, problems := in.project(ctx)
	if problems != nil {
		return nil, in.texts, append(problems, in.unset()...) // which may be why
	}
	c := &converter{in: in, project: p, stack: &Stack{Name: o.Name}}
	c.warn(in.unset()...)
	c.convert()
	if c.problems != nil {
		c.problems.Sort()
		return nil, in.texts, append(c.problems, in.unset()...)
	}
	c.stack.Warnings.Sort()
	c.stack.Filling, c.stack.EnvFiled = sorted(in.filling), sorted(in.envFiled)
	k.keep(c.stack)
	return c.stack, in.texts, nil
}

// project has compose-go load the files.
func (in *input) project(ctx context.Context) (*types.Project, diag.List) {
	var files []types.ConfigFile
	for _, f := range in.o.Files {
		files = append(files, types.ConfigFile{Filename: in.abs(f), Content: in.texts[f]})
	}
	details := types.ConfigDetails{WorkingDir: in.dir(), ConfigFiles: files, Environment: maps.Clone(in.env)}
	var labels map[string][]string
	p, err := quietly(func() (*types.Project, error) {
		opts := loader.ToOptions(&details, []func(*loader.Options){func(l *loader.Options) {
			l.SetProjectName(strings.ToLower(in.o.Name), true) // it takes no others
			l.Profiles = in.o.Profiles
			l.SkipDefaultValues = true // the docker CLI's are ours
			l.SkipResolveEnvironment = true
			l.Interpolate.Substitute = substitute
		}})
		model, err := loader.LoadModelWithContext(ctx, details, func(l *loader.Options) { *l = *opts })
		if err != nil {
			return nil, err
		}
		dropIgnored(model)
		labels = takeLabelFiles(model)
		return loader.ModelToProject(model, opts, details)
	})
	if err != nil {
		if problems := in.mistakes(); problems != nil {
			return nil, problems
		}
		return nil, in.loadErr(err)
	}
	in.rename(p)
	return p, append(in.envFiles(p), in.labelFiles(p, labels)...)
}

// rename gives what has no name of its own that of the stack, in whose capitals
// compose-go has made small letters.
func (in *input) rename(p *types.Project) {
	lower := strings.ToLower(in.o.Name)
	if lower == in.o.Name {
		return
	}
	name := func(section, key, was string) string {
		if _, own := in.has(section, key, "name"); own || was != scoped(lower, key) {
			return was
		}
		return scoped(in.o.Name, key)
	}
	for k, v := range p.Networks {
		v.Name = name("networks", k, v.Name)
		p.Networks[k] = v
	}
	for k, v := range p.Volumes {
		v.Name = name("volumes", k, v.Name)
		p.Volumes[k] = v
	}
	for k, v := range p.Secrets {
		v.Name = name("secrets", k, v.Name)
		p.Secrets[k] = v
	}
	for k, v := range p.Configs {
		v.Name = name("configs", k, v.Name)
		p.Configs[k] = v
	}
}

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// scoped is the name that an object of a stack has in the swarm.
func scoped(stack, key string) string { return stack + "_" + key }

// oneLine is an error's text as a summary.
func oneLine(err error) string {
	return strings.TrimRight(strings.Join(strings.Fields(err.Error()), " "), ".")
}
