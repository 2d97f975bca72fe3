package compose

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
)

// input is the files of a stack and what they are interpolated with.
type input struct {
	o     Options
	texts Texts
	docs  []*document // in the order they were read; what comes later wins
	env   map[string]string
	files map[string]string   // what the files of variables say, for those that env does not
	names map[string]diag.Pos // variables without a default, by where they are first

	filling, envFiled map[string]bool // what Stack has of these names

	outside bool // the environment or a file of it has given something
}

// document is one file as a tree, for the places of what it says.
type document struct {
	file string
	root *yaml.Node
	env  map[string]string // what files of variables say that fill it
}

func newInput(o Options) *input {
	return &input{
		o: o, texts: Texts{}, env: map[string]string{}, files: map[string]string{}, names: map[string]diag.Pos{},
		filling: map[string]bool{}, envFiled: map[string]bool{},
	}
}

func (in *input) abs(p string) string { return filepath.Join(in.o.Root, filepath.FromSlash(p)) }

// dir is what paths in the files are relative to.
func (in *input) dir() string { return filepath.Dir(in.abs(in.o.Files[0])) }

// rel is a path from the root, if the path is below it.
func (in *input) rel(p string) (string, bool) {
	if !filepath.IsAbs(p) {
		p = filepath.Join(in.dir(), p)
	}
	r, err := filepath.Rel(in.o.Root, p)
	r = filepath.ToSlash(r)
	return r, err == nil && r != ".." && !strings.HasPrefix(r, "../")
}

// content is a file that a compose file names, which is one more input.
func (in *input) content(p string) ([]byte, error) {
	r, ok := in.rel(p)
	if !ok {
		return nil, fmt.Errorf("cannot read %s: only files under the root folder can be read", p)
	}
	return in.o.Read(r)
}

// read reads the files, those that they include, and those that they extend.
func (in *input) read() (problems diag.List) {
	if len(in.o.Files) == 0 {
		return diag.List{{Summary: "there are no compose files"}}
	}
	problems = in.variableFiles()
	for _, f := range in.o.Files {
		problems = append(problems, in.readFile(f, scope{path.Dir(in.o.Files[0]), in.files}, diag.Pos{})...)
	}
	return problems
}

// scope is what the paths in a compose file are relative to, and filled with.
type scope struct {
	dir string
	env map[string]string // what files of variables say
}

// readFile reads one compose file.
func (in *input) readFile(file string, sc scope, from diag.Pos) (problems diag.List) {
	if _, done := in.texts[file]; done {
		return nil
	}
	data, err := in.o.Read(file)
	if err != nil {
		return diag.List{{Pos: from, Summary: err.Error()}}
	}
	in.texts[file] = data
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	for {
		var root yaml.Node
		if err := dec.Decode(&root); err != nil {
			if in.isEnd(err) {
				return problems
			}
			return append(problems, in.syntax(file, err))
		}
		d := &document{file: file, root: &root, env: sc.env}
		if p := d.tooMuch(); p != nil {
			return append(problems, p)
		}
		in.docs = append(in.docs, d)
		problems = append(problems, in.follow(d, sc)...)
	}
}

func (in *input) isEnd(err error) bool { return err.Error() == "EOF" }

var (
	yamlLine   = pattern.Of(`^yaml: line (\d+): `)
	yamlAnchor = pattern.Of(`^yaml: unknown anchor '(.+)' referenced`)
)

// syntax is a mistake of YAML, at its line.
func (in *input) syntax(file string, err error) *diag.Diagnostic {
	d := &diag.Diagnostic{Pos: diag.Pos{File: file, Line: 1, Col: 1}}
	text := err.Error()
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		fmt.Sscan(m[1], &d.Pos.Line)
		text = strings.TrimPrefix(text, m[0])
	}
	if m := yamlAnchor().FindStringSubmatch(text); m != nil { // it does not say where
		before, _, _ := strings.Cut(string(in.texts[file]), "*"+m[1])
		d.Pos.Line += strings.Count(before, "\n")
	}
	d.Summary = "this is not YAML: " + strings.TrimPrefix(oneLine(errors.New(text)), "yaml: ")
	return d
}

// follow reads what a file includes and extends: each file that compose-go will
// read is read here before, as an input of the script's.
func (in *input) follow(d *document, sc scope) (problems diag.List) {
	top := d.top()
	for _, e := range items(child(top, "include")) {
		problems = append(problems, in.include(d, resolve(e), sc)...)
	}
	for _, s := range pairs(child(top, "services")) {
		if f := child(child(s.value, "extends"), "file"); f != nil {
			name, err := in.path(f.Value, sc)
			if err != nil {
				problems = append(problems, &diag.Diagnostic{Pos: d.pos(f), Summary: fmt.Sprintf("extends: %v", err)})
				continue
			}
			problems = append(problems, in.readFile(name, scope{path.Dir(name), sc.env}, d.pos(f))...)
		}
	}
	return problems
}

// include reads the files of one entry of include: the first says what folder the
// paths of all are relative to, and .env there what they are filled with, where
// the entry itself says neither.
func (in *input) include(d *document, e *yaml.Node, sc scope) (problems diag.List) {
	refuse := func(n *yaml.Node, err error) {
		problems = append(problems, &diag.Diagnostic{Pos: d.pos(n), Summary: fmt.Sprintf("include: %v", err)})
	}
	paths, folder := e, child(e, "project_directory")
	if e.Kind == yaml.MappingNode {
		paths = child(e, "path")
	}
	var names []string
	for _, p := range texts(paths) {
		name, err := in.path(p.Value, sc)
		if err != nil {
			refuse(p, err)
			continue
		}
		names = append(names, name)
	}
	if problems != nil || names == nil {
		return problems
	}
	sub := scope{path.Dir(names[0]), maps.Clone(sc.env)}
	if folder != nil {
		dir, err := in.path(folder.Value, sc)
		if err != nil {
			refuse(folder, err)
			return problems
		}
		sub.dir = dir
	}
	files := texts(child(e, "env_file"))
	if dot := path.Join(sub.dir, ".env"); files == nil && in.o.Exists(dot) {
		problems = append(problems, in.variables(dot, sub.env, d.pos(e))...)
	} else {
		for _, f := range files {
			if in.expand(f.Value, sc.env) == "/dev/null" { // so that .env is not read
				continue
			}
			name, err := in.path(f.Value, sc)
			if err != nil {
				refuse(f, err)
				continue
			}
			problems = append(problems, in.variables(name, sub.env, d.pos(f))...)
		}
	}
	for _, name := range names {
		problems = append(problems, in.readFile(name, sub, d.pos(e))...)
	}
	return problems
}

// path is a path in a compose file, from the root.
func (in *input) path(text string, sc scope) (string, error) {
	name := in.expand(text, sc.env)
	switch {
	case strings.Contains(name, "://"), strings.HasPrefix(name, "git@"), strings.HasPrefix(name, "oci:"):
		return "", fmt.Errorf("%s is not a file under the root folder", name)
	case filepath.IsAbs(name):
		rel, ok := in.rel(name)
		if !ok {
			return "", fmt.Errorf("cannot read %s: only files under the root folder can be read", name)
		}
		return rel, nil
	}
	return path.Join(sc.dir, filepath.ToSlash(name)), nil
}

// expand fills variables into a path. What is wrong with it, the load tells.
func (in *input) expand(s string, env map[string]string) string {
	out, err := substitute(s, func(name string) (string, bool) {
		if v, ok := in.lookup(name); ok {
			return v, true
		}
		v, ok := env[name]
		return v, ok
	})
	if err != nil {
		return s
	}
	return out
}

// top is the mapping that a file is.
func (d *document) top() *yaml.Node {
	if d.root.Kind == yaml.DocumentNode && len(d.root.Content) > 0 {
		return d.root.Content[0]
	}
	return nil
}

func (d *document) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: d.file, Line: n.Line, Col: n.Column}
}

// at is the place of a key: of the last file that has it, or of as much of the
// path as there is.
func (in *input) at(keys ...string) diag.Pos {
	best, depth := diag.Pos{}, 0
	for i := len(in.docs) - 1; i >= 0; i-- {
		n, found, deep := in.docs[i].top(), (*yaml.Node)(nil), 0
		for _, k := range keys {
			key, v := entry(n, k)
			if key == nil {
				break
			}
			found, n = key, v
			deep++
		}
		if deep > depth {
			best, depth = in.docs[i].pos(found), deep
		}
	}
	return best
}

// keysOf are the keys of an object in the files, each where it is said last.
func (in *input) keysOf(section, key string) map[string]diag.Pos {
	out := map[string]diag.Pos{}
	for i := len(in.docs) - 1; i >= 0; i-- {
		for _, p := range pairs(child(child(in.docs[i].top(), section), key)) {
			if _, ok := out[p.key.Value]; !ok {
				out[p.key.Value] = in.docs[i].pos(p.key)
			}
		}
	}
	return out
}

// has reports whether some file says a key, and where.
func (in *input) has(keys ...string) (diag.Pos, bool) {
	for i := len(in.docs) - 1; i >= 0; i-- {
		n, found := in.docs[i].top(), (*yaml.Node)(nil)
		for _, k := range keys {
			found, n = entry(n, k)
			if found == nil {
				break
			}
		}
		if found != nil {
			return in.docs[i].pos(found), true
		}
	}
	return diag.Pos{}, false
}

// said is the plain text of a key, of the last file that has it; "" where it is
// something else.
func (in *input) said(keys ...string) (text string) {
	for _, d := range in.docs {
		n := d.top()
		for _, k := range keys {
			n = child(n, k)
		}
		if n != nil && n.Kind == yaml.ScalarNode {
			text = n.Value
		}
	}
	return text
}

type pair struct{ key, value *yaml.Node }

// pairs are the entries of a mapping, those that it merges last.
func pairs(n *yaml.Node) (out []pair) {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var merged []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			for _, m := range items(n.Content[i+1]) {
				merged = append(merged, pairs(m)...)
			}
			continue
		}
		out = append(out, pair{n.Content[i], n.Content[i+1]})
	}
	return append(out, merged...)
}

// entry is one entry of a mapping: its own, or one that it merges.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i].Tag != "!!merge" {
			return n.Content[i], resolve(n.Content[i+1])
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		for _, m := range items(n.Content[i+1]) {
			if k, v := entry(m, key); k != nil {
				return k, v
			}
		}
	}
	return nil, nil
}

func child(n *yaml.Node, key string) *yaml.Node {
	_, v := entry(n, key)
	return v
}

// items are the elements of a list; what is no list is its own.
func items(n *yaml.Node) []*yaml.Node {
	n = resolve(n)
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.SequenceNode:
		return n.Content
	}
	return []*yaml.Node{n}
}

// texts are the plain texts of a list, or the one.
func texts(n *yaml.Node) (out []*yaml.Node) {
	for _, e := range items(n) {
		if e = resolve(e); e.Kind == yaml.ScalarNode {
			out = append(out, e)
		}
	}
	return out
}

func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
