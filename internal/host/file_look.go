package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// fileSection looks at files and folders alike.
var fileSection = section{name: "files", kinds: []string{"file", "directory"}, script: fileScript, read: readFiles}

// maxShown is the size up to which the content of a file that is not as declared
// comes with the look.
const maxShown = 1 << 20

// fileScript prints, for all paths in one command each:
//
//	s MODE USER UID GROUP GID SIZE TIME PATH   what it is; the mode is hexadecimal
//	h SHA256 PATH                              of regular files
//	c _BASE64 PATH                             the content, where the hash is not the declared one
//
// Contents that are as declared do not travel.
func fileScript(decls []*resource.Declaration) string {
	var paths []string
	var want strings.Builder
	for _, d := range decls {
		paths = append(paths, nameOf(d))
		if d.Kind.Name != "file" {
			continue
		}
		if get(fileSchema, d.Args, "content") == nil && get(fileSchema, d.Args, "content_base64") == nil {
			fmt.Fprintf(&want, "- %s\n", nameOf(d)) // it is not asked for
		} else if content, known := contentOf(d.Args); known {
			fmt.Fprintf(&want, "%s %s\n", sumOf(content), nameOf(d))
		}
	}
	return fmt.Sprintf(`nl='
'
want="$nl"%s
set -- %s
stat -c 's %%f %%U %%u %%G %%g %%s %%.9Y %%n' -- "$@"
n=$#
for p in "$@"; do if [ -f "$p" ] && [ ! -L "$p" ]; then set -- "$@" "$p"; fi; done
shift $n
[ $# -gt 0 ] && sha256sum -z -- "$@" | tr '\0' '\n' | while read -r sum p; do
  printf 'h %%s %%s\n' "$sum" "$p"
  case $want in *"$nl$sum $p$nl"* | *"$nl- $p$nl"*) continue ;; esac
  if [ "$(stat -c %%s -- "$p")" -le %d ]; then printf 'c _%%s %%s\n' "$(base64 -w0 -- "$p")" "$p"; fi
done`, remote.Quote(want.String()), quoteAll(paths), maxShown)
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// inode is what is at a path.
type inode struct {
	mode                  uint64 // with the type, as the kernel has it
	user, uid, group, gid string
	size                  int64
	written               string // when its content was
	sum                   string
	content               []byte
	hasContent            bool
}

const (
	typeMask = 0o170000
	typeDir  = 0o040000
	typeFile = 0o100000
	typeLink = 0o120000
)

func (n *inode) kind() string {
	switch n.mode & typeMask {
	case typeDir:
		return "a folder"
	case typeFile:
		return "a file"
	case typeLink:
		return "a symbolic link"
	}
	return "a device, pipe or socket"
}

// readFiles adds what is at the paths.
func readFiles(l *look, out []byte, decls []*resource.Declaration) error {
	found, err := parseFiles(out)
	if err != nil {
		return err
	}
	for _, d := range decls {
		n := found[nameOf(d)]
		if n == nil {
			continue
		}
		if d.Kind.Name == "directory" {
			l.addDirectory(d, n)
			continue
		}
		l.add(d, n.fileArgs(d.Args), fileOut(nameOf(d), n.sum, n.written, d.Args))
	}
	return nil
}

// fileOut is what a file tells. The hash of a weak secret gives it away.
func fileOut(name, sum, written string, args value.Struct) map[string]value.Value {
	out := map[string]value.Value{"path": name, "sha256": sum, "revision": sumOf([]byte(sum + " " + written))}
	if value.Sensitive(get(fileSchema, args, "content")) || value.Sensitive(get(fileSchema, args, "content_base64")) {
		out["sha256"], out["revision"] = value.Secret{V: sum}, value.Secret{V: out["revision"]}
	}
	return out
}

func parseFiles(out []byte) (map[string]*inode, error) {
	found := map[string]*inode{}
	for _, line := range lines(out) {
		damaged := fmt.Errorf("the machine's answer about files is damaged: %.80q", line)
		what, rest, _ := strings.Cut(line, " ")
		switch what {
		case "s":
			w := strings.SplitN(rest, " ", 8)
			if len(w) != 8 {
				return nil, damaged
			}
			n := &inode{user: w[1], uid: w[2], group: w[3], gid: w[4], written: w[6]}
			var err1, err2 error
			n.mode, err1 = strconv.ParseUint(w[0], 16, 32)
			n.size, err2 = strconv.ParseInt(w[5], 10, 64)
			if err1 != nil || err2 != nil {
				return nil, damaged
			}
			found[w[7]] = n
		case "h", "c":
			v, p, ok := strings.Cut(rest, " ")
			n := found[p]
			if !ok || n == nil {
				return nil, damaged
			}
			if what == "h" {
				n.sum = v
				continue
			}
			b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(v, "_"))
			if err != nil {
				return nil, damaged
			}
			n.content, n.hasContent = b, true
		default:
			return nil, damaged
		}
	}
	return found, nil
}

// fileArgs is a file in normal form, beside what is declared of it.
func (n *inode) fileArgs(declared value.Struct) value.Struct {
	mode := schema.FileMode(n.mode & 0o7777)
	args := fileSchema.Encode(&FileSpec{Mode: &mode})
	set(fileSchema, args, "name", get(fileSchema, declared, "name"))
	set(fileSchema, args, "owner", n.owner(fileSchema, declared))
	set(fileSchema, args, "group", n.ownerGroup(fileSchema, declared))
	for _, name := range []string{"content", "content_base64"} {
		if get(fileSchema, declared, name) != nil {
			set(fileSchema, args, name, n.contentAs(name, declared))
		}
	}
	return args
}

// contentAs is the content under one of its two arguments. What only the owner
// may read is not shown.
func (n *inode) contentAs(name string, declared value.Struct) value.Value {
	want, known := contentOf(declared)
	var v value.Value
	switch {
	case n.mode&typeMask != typeFile:
		v = "(" + n.kind() + ")"
	case known && n.sum == sumOf(want):
		return get(fileSchema, declared, name)
	case n.hasContent && name == "content_base64":
		v = base64.StdEncoding.EncodeToString(n.content)
	case n.hasContent && utf8.Valid(n.content) && bytes.IndexByte(n.content, 0) < 0:
		v = string(n.content)
	default:
		v = fmt.Sprintf("(%d bytes, SHA-256 %s)", n.size, n.sum)
	}
	if n.mode&0o077 == 0 || value.Sensitive(get(fileSchema, declared, name)) {
		v = value.Secret{V: v}
	}
	return v
}

// owner is the owner's name, or its number where the script gives one.
func (n *inode) owner(s *schema.Struct, declared value.Struct) string {
	return nameOrNumber(s, declared, "owner", n.user, n.uid)
}

func (n *inode) ownerGroup(s *schema.Struct, declared value.Struct) string {
	return nameOrNumber(s, declared, "group", n.group, n.gid)
}

func nameOrNumber(s *schema.Struct, declared value.Struct, arg, name, number string) string {
	if want, _ := text(s, declared, arg); want == number || name == "UNKNOWN" {
		return number
	}
	return name
}
