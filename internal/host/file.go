package host

import (
	"encoding/base64"
	"fmt"
	"path"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// FileSpec is a file of a machine. Source, Template, Vars and Sensitive are what
// a script gives; they become the content when it is evaluated.
type FileSpec struct {
	Name          string           `star:"name,required,pos,local" doc:"The path."`
	Content       *string          `star:"content" doc:"What is in it. Left as it is if left out; the file must be there then. What is sensitive is never shown."`
	ContentBase64 *string          `star:"content_base64" doc:"What is in it, where it is not text, in base64."`
	Source        string           `star:"source,local" doc:"In place of content, a file that it is copied from, whatever is in it: relative to the script, or // from the root."`
	Template      string           `star:"template,local" doc:"In place of content, a file that is a Go template of it, as template() takes."`
	Vars          map[string]any   `star:"vars,local" doc:"What the template's variables are."`
	Sensitive     bool             `star:"sensitive,local" doc:"Whether the content is hidden wherever it is shown. What holds a secret is hidden anyway."`
	Mode          *schema.FileMode `star:"mode" doc:"Its permission bits: 0644 if left out, 0600 where the content is sensitive."`
	Owner         string           `star:"owner" default:"root" doc:"The account that owns it, by name or number."`
	Group         string           `star:"group" default:"root" doc:"The group that owns it, by name or number."`
}

// SchemaName implements [schema.Named].
func (*FileSpec) SchemaName() (string, string) {
	return "file", "A file of a machine, written whole and at once. What was there before us, be it a file or a symbolic link, is kept on the machine and put back when the file is no longer declared; a file that was not there is removed."
}

var fileSchema = schema.Of(FileSpec{})

// FileKind is a file of a machine.
var FileKind = &resource.Kind{
	Name:      "file",
	Schema:    fileSchema,
	Scope:     "host",
	Rank:      10,
	Keyless:   true,
	TakesOver: true,
	Out: []resource.Output{
		{Name: "path", Type: "string", Stable: true, Arg: "name", Doc: "Its path."},
		{Name: "sha256", Type: "string", Doc: "The SHA-256 of its content, in hexadecimal digits; sensitive where the content is."},
		{Name: "revision", Type: "string", Doc: "Another one whenever its content is written, the same as before too; sensitive where the content is."},
	},
	Check:    hiding(fileSchema, checkFile),
	Needs:    func(args value.Struct) []resource.Need { return needsOf(fileSchema, args) },
	Complete: completeFile,
	Ending:   asBefore,
	Handler:  fileHandler{},
}

// accountName is what useradd takes for a name, or a number.
var accountName = pattern.Of(`^([a-z_][a-z0-9_.-]{0,31}\$?|[0-9]{1,10})$`)

func checkFile(args value.Struct) schema.Problems {
	ps := checkPath(get(fileSchema, args, "name"))
	content, encoded := get(fileSchema, args, "content"), get(fileSchema, args, "content_base64")
	if content != nil && encoded != nil {
		ps = append(ps, &schema.Problem{Path: "content_base64", Msg: "cannot be given beside content"})
	}
	if s, ok := text(fileSchema, args, "content_base64"); ok {
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			ps = append(ps, &schema.Problem{Path: "content_base64", Msg: "is not base64: " + err.Error()})
		}
	}
	return append(ps, checkOwner(fileSchema, args)...)
}

// checkPath finds what is wrong with the path of a file or folder.
func checkPath(v value.Value) schema.Problems {
	p, ok := v.(string)
	switch {
	case !ok:
		return nil
	case !path.IsAbs(p):
		return schema.Problems{{Path: "name", Msg: fmt.Sprintf("got %q, want an absolute path", p)}}
	case path.Clean(p) != p || p == "/":
		return schema.Problems{{Path: "name", Msg: fmt.Sprintf("got %q, want a path in its shortest form", p), Hint: fmt.Sprintf("%q", path.Clean(p))}}
	case strings.HasSuffix(p, " "):
		return schema.Problems{{Path: "name", Msg: fmt.Sprintf("got %q: a path that ends with a space is not supported", p)}}
	case p == root || strings.HasPrefix(p, root+"/"):
		return schema.Problems{{Path: "name", Msg: root + " is where the marks of projects are kept"}}
	}
	return nil
}

// needsOf returns what a file or folder needs: the folders that it is in, and the
// account that owns it.
func needsOf(s *schema.Struct, args value.Struct) []resource.Need {
	var out []resource.Need
	if name, ok := text(s, args, "name"); ok {
		out = needsFolder(path.Dir(name))
	}
	for _, arg := range []string{"owner", "group"} {
		// A group is one that user() made with the account of its name.
		if name, ok := text(s, args, arg); ok {
			out = append(out, resource.Need{Kind: "user", Name: name})
		}
	}
	return out
}

// needsPackages says of a kind that it is of no use without some packages.
func needsPackages(names ...string) func(value.Struct) []resource.Need {
	return func(value.Struct) (out []resource.Need) {
		for _, name := range names {
			out = append(out, resource.Need{Kind: "package", Name: name})
		}
		return out
	}
}

// needsFolder returns a folder and those that it is in, the nearest first.
func needsFolder(p string) (out []resource.Need) {
	for ; path.IsAbs(p) && p != "/"; p = path.Dir(p) {
		out = append(out, resource.Need{Kind: "directory", Name: p})
	}
	return out
}

func checkOwner(s *schema.Struct, args value.Struct) (ps schema.Problems) {
	for _, name := range []string{"owner", "group"} {
		if v, ok := text(s, args, name); ok && !accountName().MatchString(v) {
			ps = append(ps, &schema.Problem{Path: name, Msg: fmt.Sprintf("got %q, want the name or number of an account or group", v)})
		}
	}
	return ps
}

// completeFile gives the mode that goes with the content.
func completeFile(args value.Struct) {
	if get(fileSchema, args, "mode") != nil {
		return
	}
	mode := int64(0o644)
	if value.Sensitive(get(fileSchema, args, "content")) || value.Sensitive(get(fileSchema, args, "content_base64")) {
		mode = 0o600
	}
	set(fileSchema, args, "mode", mode)
}

// contentOf returns the content that the arguments ask for; known is false where
// they leave it as it is, or wait for a step.
func contentOf(args value.Struct) (content []byte, known bool) {
	if s, ok := text(fileSchema, args, "content"); ok {
		return []byte(s), true
	}
	s, ok := text(fileSchema, args, "content_base64")
	if !ok {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil
}
