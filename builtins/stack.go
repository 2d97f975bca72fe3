package builtins

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/compose"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// stackValue is what stack() returns: its parts are found by their names in the
// files.
type stackValue struct {
	starlark.NoneType // what is not said here
	name              string
	parts             map[string]map[string]*Handle // by kind and key
}

var _ starlark.HasAttrs = (*stackValue)(nil)

func (s *stackValue) String() string       { return "<stack." + s.name + ">" }
func (s *stackValue) Type() string         { return "stack" }
func (s *stackValue) Truth() starlark.Bool { return starlark.True }
func (s *stackValue) Hash() (uint32, error) {
	return starlark.String(s.String()).Hash()
}

// stackKinds are the kinds that a stack's parts may be of.
var stackKinds = []string{"build", "config", "network", "secret", "service"}

// AttrNames returns what a script can ask a stack for.
func (s *stackValue) AttrNames() []string {
	names := []string{"name"}
	for _, k := range stackKinds {
		names = append(names, k, k+"s")
	}
	slices.Sort(names)
	return names
}

// Attr returns the parts of a kind, as s.services, or the function that finds one
// by its name in the files, as s.service("web").
func (s *stackValue) Attr(name string) (starlark.Value, error) {
	if name == "name" {
		return starlark.String(s.name), nil
	}
	for _, kind := range stackKinds {
		switch name {
		case kind:
			return starlark.NewBuiltin(kind, s.find), nil
		case kind + "s":
			var list []starlark.Value
			for _, key := range slices.Sorted(maps.Keys(s.parts[kind])) {
				list = append(list, s.parts[kind][key])
			}
			out := starlark.NewList(list)
			out.Freeze()
			return out, nil
		}
	}
	return nil, nil
}

func (s *stackValue) find(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var key string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &key); err != nil {
		return nil, err
	}
	if h := s.parts[b.Name()][key]; h != nil {
		return h, nil
	}
	return nil, &diag.Diagnostic{
		Summary: fmt.Sprintf("stack %s has no %s %q", s.name, b.Name(), key),
		Hint:    diag.DidYouMean(key, slices.Sorted(maps.Keys(s.parts[b.Name()]))),
	}
}

// stackArgs are the arguments of stack().
type stackArgs struct {
	name                      string
	files, envFiles, profiles *starlark.List
	vars, images              *starlark.Dict
	strict, build             bool
	push                      *starlark.Bool
	cluster                   starlark.Value
	services                  []starlark.Tuple // what is every service's
}

// everyService are the arguments of stack() that each of its services gets.
var everyService = []string{"after", "resolve_image", "with_registry_auth", "wait", "timeout"}

// stackName is what docker takes, as far as a service's name can begin with it.
var stackName = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// stack(name, files=None, *, env_files=None, profiles=[], vars={}, images={}, strict=False,
// build=True, push=None, cluster=None, after=[], resolve_image="changed", with_registry_auth=None,
// wait=True, timeout=None) declares what compose files say.
func (r *Recorder) stack(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	a := stackArgs{build: true}
	var push starlark.Value
	every := make([]starlark.Value, len(everyService))
	if len(args) > 2 {
		return nil, fmt.Errorf("stack: got %d positional arguments, want 2: a name and files", len(args))
	}
	params := []any{"name", &a.name, "files??", &a.files, "env_files??", &a.envFiles, "profiles??", &a.profiles,
		"vars??", &a.vars, "images??", &a.images, "strict?", &a.strict, "build?", &a.build, "push??", &push, "cluster??", &a.cluster}
	for i, name := range everyService {
		params = append(params, name+"??", &every[i])
	}
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, params...); err != nil {
		return nil, err
	}
	for i, name := range everyService {
		if every[i] != nil {
			a.services = append(a.services, starlark.Tuple{starlark.String(name), every[i]})
		}
	}
	if push != nil {
		p, ok := push.(starlark.Bool)
		if !ok {
			return nil, fmt.Errorf("stack: push: got %s, want bool", push.Type())
		}
		a.push = &p
	}
	s := lang.FromThread(thread)
	switch {
	case !stackName().MatchString(a.name):
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("stack: %q is not a name", a.name), Hint: "want letters, digits, _ and -, the first a letter or digit"}
	case lang.Loading(thread):
		return nil, &diag.Diagnostic{Summary: "stack is called while its module is loaded",
			Detail: "a module declares nothing when it is loaded: put this into a function that the script calls"}
	}
	o, err := r.stackOptions(thread, &a)
	if err != nil {
		return nil, err
	}
	if err := r.checkForAll(thread, &a); err != nil {
		return nil, err
	}
	loaded, texts, problems := compose.Load(lang.Context(thread), o)
	for file, text := range texts {
		s.AddText(file, text)
	}
	out := &stackValue{name: a.name, parts: map[string]map[string]*Handle{}}
	if loaded == nil {
		return out, reportAll(thread, s, problems)
	}
	if a.strict && loaded.Warnings != nil {
		for _, w := range loaded.Warnings {
			w.Severity = diag.Error
		}
		return out, reportAll(thread, s, loaded.Warnings)
	}
	r.program.Warnings = append(r.program.Warnings, loaded.Warnings...)
	r.declareStack(thread, out, loaded, &a)
	return out, nil
}

// checkForAll finds what is wrong with arguments of stack() that its services get: at
// the script's line, and once. Then the script ends there.
func (r *Recorder) checkForAll(thread *starlark.Thread, a *stackArgs) error {
	i := slices.IndexFunc(r.kinds, func(k *resource.Kind) bool { return k.Name == "service" })
	kind := r.kinds[i]
	c := &call{
		d:      &declarer{recorder: r, name: "stack", kinds: []*resource.Kind{kind}},
		thread: thread, s: lang.FromThread(thread), pos: lang.CallPos(thread), kind: kind,
		decl: &resource.Declaration{Kind: kind, Args: make(value.Struct, len(kind.Schema.Fields()))},
	}
	c.bind("", a.cluster)
	for _, kw := range a.services {
		c.keyword(string(kw[0].(starlark.String)), kw[1])
	}
	if a.images != nil {
		c.images(a.images)
	}
	if c.failed {
		return c.said
	}
	return nil
}

// images checks the images that stack() gives services.
func (c *call) images(images *starlark.Dict) {
	f, _ := c.kind.Schema.Field("image")
	for _, item := range images.Items() {
		raw, err := lang.ToValue(item[1])
		if err == nil {
			_, err = f.Check(raw)
		}
		var problems schema.Problems
		switch {
		case errors.As(err, &problems):
			for _, p := range problems {
				c.report("images", -1, "stack: images[%s]: %s", item[0], p.Msg).Hint = p.Hint
			}
		case err != nil:
			c.report("images", -1, "stack: images[%s]: %v", item[0], err)
		}
	}
}

// reportAll reports problems, each at its place or at the call. The script ends
// there: what follows would speak of parts that are not there.
func reportAll(thread *starlark.Thread, s *lang.Session, problems diag.List) error {
	for _, p := range problems[1:] {
		s.Report(thread, p)
	}
	return problems[0]
}

// defaultComposeFiles are those that are looked for where none are named.
var defaultComposeFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

func (r *Recorder) stackOptions(thread *starlark.Thread, a *stackArgs) (compose.Options, error) {
	s := lang.FromThread(thread)
	o := compose.Options{Name: a.name, Root: s.Root(), Read: s.ReadPath, Exists: s.HasFile, Keep: r.inputs.Keep, Vars: map[string]string{}, Build: a.build}
	if a.push != nil {
		o.Push = (*bool)(a.push)
	}
	if o.Root == "" {
		return o, errors.New("stack: there is no root folder to read from")
	}
	o.Env = func(name string) (string, bool) {
		if r.inputs.Env == nil {
			return "", false
		}
		v, ok := r.inputs.Env(name)
		if !ok {
			s.Record("env", name, nil, false)
			return "", false
		}
		s.Record("env", name, []byte(v), true) // it may be a password
		return v, true
	}
	var err error
	paths := func(arg string, list *starlark.List) (out []string) {
		for _, name := range plainTexts("stack", arg, list, &err) {
			p, perr := s.PathOf(thread, name)
			if perr != nil && err == nil {
				err = fmt.Errorf("stack: %s: %w", arg, perr)
			}
			out = append(out, p)
		}
		return out
	}
	o.Files = paths("files", a.files)
	if a.envFiles != nil {
		o.EnvFiles = append([]string{}, paths("env_files", a.envFiles)...)
	}
	o.Profiles = plainTexts("stack", "profiles", a.profiles, &err)
	if a.files == nil {
		for _, name := range defaultComposeFiles {
			if p, perr := s.PathOf(thread, name); perr == nil && s.HasFile(p) {
				o.Files = []string{p}
				break
			}
		}
	}
	if len(o.Files) == 0 && err == nil {
		err = &diag.Diagnostic{Summary: "stack: there are no compose files", Hint: `files = ["compose.yml"] names them`}
	}
	if a.vars != nil && err == nil {
		err = stackVars(a.vars, o.Vars)
	}
	if a.images != nil {
		for _, k := range a.images.Keys() {
			key, _ := starlark.AsString(k)
			o.Images = append(o.Images, key)
		}
	}
	return o, err
}

// plainTexts are the elements of a list of texts.
func plainTexts(fn, arg string, list *starlark.List, err *error) (out []string) {
	if list == nil {
		return nil
	}
	for i := range list.Len() {
		text, ok := starlark.AsString(list.Index(i))
		if !ok && *err == nil {
			*err = fmt.Errorf("%s: %s[%d]: got %s, want string", fn, arg, i, list.Index(i).Type())
		}
		out = append(out, text)
	}
	return out
}

// stackVars are what is interpolated. It becomes plain text before anything is
// known of what it stands in, so it must be known, and must not be secret.
func stackVars(d *starlark.Dict, into map[string]string) error {
	for _, item := range d.Items() {
		name, ok := starlark.AsString(item[0])
		if !ok || !identifier().MatchString(name) {
			return fmt.Errorf("stack: vars: %s is not the name of a variable", item[0])
		}
		v, err := lang.ToValue(item[1])
		if err != nil {
			return fmt.Errorf("stack: vars: %s: %w", name, err)
		}
		switch v.(type) {
		case string, int64, float64, bool:
			into[name] = value.Text(v)
		case nil:
		case value.Secret:
			return &diag.Diagnostic{Summary: fmt.Sprintf("stack: vars: %s is sensitive, and would be text like any other in the file", name),
				Hint: "override the argument that it is for: s.service(\"web\").extend(env = {...}); or a secret's value"}
		default:
			return &diag.Diagnostic{Summary: fmt.Sprintf("stack: vars: %s must be plain and known when the script runs, got %s", name, item[1].Type()),
				Hint: "override the argument that it is for: s.service(\"web\").extend(env = {...})"}
		}
	}
	return nil
}

// of are the arguments that the script gives a part, in place of its files; built
// is the build of its image, if there is one.
func (a *stackArgs) of(p *compose.Part, built *Handle) []starlark.Tuple {
	if p.Kind.Name != "service" {
		return nil
	}
	out := slices.Clip(a.services)
	if built != nil {
		out = append(out, starlark.Tuple{starlark.String("image"), imageOf(built)})
	}
	if a.images != nil {
		if v, ok, _ := a.images.Get(starlark.String(p.Key)); ok {
			out = append(out, starlark.Tuple{starlark.String("image"), imageOf(v)})
		}
	}
	return out
}

// imageOf is what a service takes: of a build, the image that it makes.
func imageOf(v starlark.Value) starlark.Value {
	if h, ok := v.(*Handle); ok && h.decl.Kind.Name == "build" {
		if ref, err := h.Attr("ref"); err == nil {
			return ref
		}
	}
	return v
}

// declareStack declares the parts, each as if the script did.
func (r *Recorder) declareStack(thread *starlark.Thread, out *stackValue, loaded *compose.Stack, a *stackArgs) {
	byName := map[liveName]*Handle{} // of the kinds that others name
	for _, key := range unknownImages(a.images, loaded) {
		lang.FromThread(thread).Report(thread, &diag.Diagnostic{Summary: fmt.Sprintf("stack: images: there is no service %s", key)})
	}
	for _, p := range loaded.Parts {
		pc := r.partCall(thread, p, a.cluster)
		var h *Handle
		if p.External {
			h = r.externalPart(pc)
		} else {
			var built *Handle
			if p.Built != nil {
				built = out.parts["build"][p.Built.Key]
			}
			h = pc.declare(byName, a.of(p, built))
		}
		if out.parts[p.Kind.Name] == nil {
			out.parts[p.Kind.Name] = map[string]*Handle{}
		}
		out.parts[p.Kind.Name][p.Key] = h
		byName[liveName{kind: p.Kind.Name, name: p.Name}] = h
	}
	for _, p := range loaded.Parts {
		h := out.parts[p.Kind.Name][p.Key]
		for _, key := range p.After {
			h.decl.After = append(h.decl.After, out.parts["service"][key].decl.Address)
		}
		h.decl.Refs()
	}
}

// unknownImages are the keys of images that are no service's.
func unknownImages(images *starlark.Dict, loaded *compose.Stack) (out []string) {
	if images == nil {
		return nil
	}
	for _, k := range images.Keys() {
		key, _ := starlark.AsString(k)
		if !slices.ContainsFunc(loaded.Parts, func(p *compose.Part) bool { return p.Kind.Name == "service" && p.Key == key }) {
			out = append(out, k.String())
		}
	}
	return out
}
