package host

import (
	"context"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// fileHandler writes files.
type fileHandler struct{}

// Create implements [resource.Handler].
func (fileHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec FileSpec
	if err := fileSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	content, given := contentOf(r.Args)
	check := ownerCheck(spec.Owner, spec.Group) + fmt.Sprintf(`P=%s
d=$(dirname -- "$P")
[ -d "$d" ] || fail "the folder $d is not there: declare it with directory()"
if [ -d "$P" ] && [ ! -L "$P" ]; then fail "$P is a folder, not a file"; fi
`, remote.Quote(spec.Name))
	own := fmt.Sprintf("%s:%s", spec.Owner, spec.Group)
	var script string
	if given {
		script = fmt.Sprintf(`T=$(mktemp -- "$d/.swarmscript.XXXXXXXX")
trap 'rm -f "$T"' EXIT HUP INT TERM
cat >"$T"
[ "$(stat -c %%s -- "$T")" = %d ] || fail "the content of $P arrived in part only"
chown %s -- "$T"; chmod %05o -- "$T"
sync "$T"
mv -fT -- "$T" "$P"
`, len(content), own, *spec.Mode)
	} else {
		check += `[ -e "$P" ] || fail "$P is not there, and its content is not declared"` + "\n"
		script = fmt.Sprintf(`chown %s -- "$P"; chmod %05o -- "$P"`+"\n", own, *spec.Mode)
	}
	script += `stat -c %.9Y -- "$P"` + "\n"
	written, err := c.write(ctx, r, change{name: spec.Name, check: check, save: saveFile, script: script, data: content})
	if err != nil {
		return nil, err
	}
	out := fileOut(spec.Name, sumOf(content), strings.TrimSpace(string(written)), r.Args)
	if !given {
		out["sha256"], out["revision"] = r.Live.Out["sha256"], r.Live.Out["revision"]
	}
	return c.made(r, spec.Name, out), nil
}

// Update implements [resource.Handler].
func (h fileHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler].
func (fileHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, "P="+remote.Quote(r.Live.Name)+"\n"+restoreFile)
}

// saveFile keeps what is at $P; restoreFile puts it back, or removes what we
// made.
const (
	saveFile    = `if [ -e "$P" ] || [ -L "$P" ]; then cp -a -T -- "$P" "$B.new"; fi`
	restoreFile = `d=$(dirname -- "$P")
if [ -d "$P" ] && [ ! -L "$P" ]; then fail "$P is a folder now, not the file that was written"; fi
if [ -e "$B" ] || [ -L "$B" ]; then
  if [ -d "$d" ]; then
    T=$(mktemp -u -- "$d/.swarmscript.XXXXXXXX")
    cp -a -T -- "$B" "$T"
    mv -fT -- "$T" "$P"
  fi
else
  rm -f -- "$P"
fi`
)

// ownerCheck ends with fail where an account or a group is not there.
func ownerCheck(owner, group string) string {
	return fmt.Sprintf(`o=%s g=%s
case $o in *[!0-9]*) getent passwd "$o" >/dev/null || fail "there is no account $o: declare it with user()" ;; esac
case $g in *[!0-9]*) getent group "$g" >/dev/null || fail "there is no group $g: declare the account that has it with user()" ;; esac
`, remote.Quote(owner), remote.Quote(group))
}

// made is an object that is as its arguments say.
func (c *Conn) made(r *resource.Request, name string, out map[string]value.Value) *resource.Object {
	kind := r.Address.Kind()
	return &resource.Object{Kind: kind, ID: c.uniqueID(idOf(kind, name)), Name: name, Mark: r.Mark, Args: r.Args, Out: out}
}

// DirectorySpec is a folder of a machine.
type DirectorySpec struct {
	Name  string          `star:"name,required,pos,local" doc:"The path."`
	Mode  schema.FileMode `star:"mode" default:"0755" doc:"Its permission bits."`
	Owner string          `star:"owner" default:"root" doc:"The account that owns it, by name or number."`
	Group string          `star:"group" default:"root" doc:"The group that owns it, by name or number."`
}

// SchemaName implements [schema.Named].
func (*DirectorySpec) SchemaName() (string, string) {
	return "directory", "A folder of a machine; the folder that it is in must be there. One that was there before us stays when it is no longer declared, with the mode and owner that it had; one that we made is removed, if nothing is in it."
}

var directorySchema = schema.Of(DirectorySpec{})

// DirectoryKind is a folder of a machine.
var DirectoryKind = &resource.Kind{
	Name:      "directory",
	Schema:    directorySchema,
	Scope:     "host",
	Rank:      8, // after what is in it
	Keyless:   true,
	TakesOver: true,
	Out: []resource.Output{
		{Name: "path", Type: "string", Stable: true, Arg: "name", Doc: "Its path."},
	},
	Check: hiding(directorySchema, func(args value.Struct) schema.Problems {
		return append(checkPath(get(directorySchema, args, "name")), checkOwner(directorySchema, args)...)
	}),
	Needs:   func(args value.Struct) []resource.Need { return needsOf(directorySchema, args) },
	Ending:  asBefore,
	Handler: directoryHandler{},
}

func (l *look) addDirectory(d *resource.Declaration, n *inode) {
	args := directorySchema.Encode(&DirectorySpec{Mode: schema.FileMode(n.mode & 0o7777)})
	set(directorySchema, args, "name", get(directorySchema, d.Args, "name"))
	set(directorySchema, args, "owner", n.owner(directorySchema, d.Args))
	set(directorySchema, args, "group", n.ownerGroup(directorySchema, d.Args))
	if n.mode&typeMask != typeDir {
		l.warnings = append(l.warnings, fmt.Sprintf("%s: %s is %s, not a folder: apply will refuse it", d.Address, nameOf(d), n.kind()))
	}
	l.add(d, args, map[string]value.Value{"path": nameOf(d)})
}

// directoryHandler makes folders.
type directoryHandler struct{}

// Create implements [resource.Handler].
func (directoryHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec DirectorySpec
	if err := directorySchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	check := ownerCheck(spec.Owner, spec.Group) + fmt.Sprintf(`P=%s
d=$(dirname -- "$P")
[ -d "$d" ] || fail "the folder $d is not there: declare it with directory() too"
if [ -e "$P" ] || [ -L "$P" ]; then [ -d "$P" ] || fail "$P is there, and not a folder"; fi
`, remote.Quote(spec.Name))
	_, err = c.write(ctx, r, change{
		name: spec.Name, check: check,
		save: `if [ -d "$P" ]; then stat -L -c '%a %u:%g' -- "$P" >"$B.new"; fi`,
		script: fmt.Sprintf(`mkdir -p -- "$P"; chown %s:%s -- "$P"; chmod %05o -- "$P"`,
			spec.Owner, spec.Group, spec.Mode),
	})
	if err != nil {
		return nil, err
	}
	return c.made(r, spec.Name, map[string]value.Value{"path": spec.Name}), nil
}

// Update implements [resource.Handler].
func (h directoryHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler].
func (directoryHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, "P="+remote.Quote(r.Live.Name)+`
if [ -d "$P" ]; then
  if [ -e "$B" ]; then
    read -r mode owner <"$B"
    chown "$owner" -- "$P"; chmod "$mode" -- "$P"
  elif ! rmdir -- "$P" 2>/dev/null; then
    fail "$P is not empty: $(ls -A -- "$P" | head -n 5 | tr '\n' ' ')is in it; remove that, or keep the folder declared"
  fi
fi`)
}
