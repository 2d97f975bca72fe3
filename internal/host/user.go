package host

import (
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// UserSpec is an account of a machine.
type UserSpec struct {
	Name         string   `star:"name,required,pos,local" doc:"Its name."`
	UID          *int     `star:"uid" min:"1" max:"4294967294" doc:"Its number; the machine chooses one if left out."`
	Group        *string  `star:"group" doc:"Its own group; one of its name is made if left out."`
	Groups       []string `star:"groups,set" doc:"More groups that it is in. It stays in those that others put it into."`
	Shell        *string  `star:"shell" doc:"Its login shell; the machine's default if left out."`
	Home         *string  `star:"home" doc:"Its home folder; below /home if left out."`
	CreateHome   bool     `star:"create_home,local" default:"true" doc:"Whether the folder is made with it."`
	Comment      *string  `star:"comment" doc:"Its full name, or what it is for."`
	System       bool     `star:"system,local" default:"false" doc:"Whether it gets a number of those that are for services."`
	PasswordHash *string  `star:"password_hash,secret" doc:"Its password, hashed as in /etc/shadow (mkpasswd); a new account has none if left out, and can log in by key only."`
	SSHKeys      []string `star:"ssh_keys,set" doc:"Public keys that it can log in with, as lines of authorized_keys. Those that others put there stay."`
}

// SchemaName implements [schema.Named].
func (*UserSpec) SchemaName() (string, string) {
	return "user", "An account of a machine. When it is no longer declared, one that we made is removed, but not its home folder; of another, our groups and keys are taken away."
}

var userSchema = schema.Of(UserSpec{})

// UserKind is an account of a machine.
var UserKind = &resource.Kind{
	Name:      "user",
	Schema:    userSchema,
	Scope:     "host",
	Rank:      5, // after what it owns
	Keyless:   true,
	TakesOver: true,
	Out: []resource.Output{
		{Name: "name", Type: "string", Stable: true, Arg: "name", Doc: "Its name."},
		{Name: "uid", Type: "int", Doc: "Its number."},
		{Name: "home", Type: "string", Doc: "Its home folder."},
	},
	Check:    hiding(userSchema, checkUser),
	Complete: completeUser,
	Ending:   asBefore,
	Handler:  userHandler{},
}

var userName = pattern.Of(`^[a-z_][a-z0-9_-]{0,30}\$?$`)

func checkUser(args value.Struct) (ps schema.Problems) {
	wrong := func(arg, format string, a ...any) {
		ps = append(ps, &schema.Problem{Path: arg, Msg: fmt.Sprintf(format, a...)})
	}
	if n, ok := text(userSchema, args, "name"); ok && !userName().MatchString(n) {
		wrong("name", "got %q, want the name of an account: small letters, digits, '_' and '-', at most 32", n)
	}
	if g, ok := text(userSchema, args, "group"); ok && !accountName().MatchString(g) {
		wrong("group", "got %q, want the name of a group", g)
	}
	for i, g := range listOf(userSchema, args, "groups") {
		if !accountName().MatchString(g) {
			wrong(fmt.Sprintf("groups[%d]", i), "got %q, want the name of a group", g)
		}
	}
	for _, arg := range []string{"shell", "home"} {
		if p, ok := text(userSchema, args, arg); ok && (!path.IsAbs(p) || strings.ContainsAny(p, ":\n")) {
			wrong(arg, "got %q, want an absolute path", p)
		}
	}
	if s, ok := text(userSchema, args, "comment"); ok && strings.ContainsAny(s, ":\n") {
		wrong("comment", "want one line without a colon")
	}
	if s, ok := text(userSchema, args, "password_hash"); ok && (strings.ContainsAny(s, ":\n") || !strings.HasPrefix(s, "$") && s != "*" && s != "!") {
		wrong("password_hash", "is not a hash as in /etc/shadow: make one with mkpasswd, or openssl passwd -6")
	}
	for i, k := range listOf(userSchema, args, "ssh_keys") {
		if _, err := keyOf(k); err != nil {
			wrong(fmt.Sprintf("ssh_keys[%d]", i), "is not a public key as a line of authorized_keys: %v", err)
		}
	}
	return userSchema.HideSecrets(args, ps)
}

// completeUser takes the blanks around keys away, as a file that was read has
// them.
func completeUser(args value.Struct) {
	l, ok := get(userSchema, args, "ssh_keys").(value.List)
	if !ok {
		return
	}
	out := make(value.List, len(l))
	for i, e := range l {
		out[i] = e
		if s, is := e.(string); is {
			out[i] = strings.TrimSpace(s)
		}
	}
	set(userSchema, args, "ssh_keys", out)
}

// listOf returns the known texts of a list.
func listOf(s *schema.Struct, args value.Struct, name string) (out []string) {
	l, _ := value.Reveal(get(s, args, name)).(value.List)
	for _, e := range l {
		if s, ok := value.Reveal(e).(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// keyOf is what makes a line of authorized_keys the same key as another: not
// its comment, but its options.
func keyOf(line string) (string, error) {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return "", err
	}
	if len(strings.TrimSpace(string(rest))) > 0 {
		return "", fmt.Errorf("it has more than one line")
	}
	return strings.Join(options, ",") + " " + string(ssh.MarshalAuthorizedKey(key)), nil
}

// userNote is what a machine remembers of what we gave to an account.
type userNote struct {
	Groups []string `json:"groups,omitempty"`
	Keys   []string `json:"keys,omitempty"`
}

// userSection prints the lines of passwd, group and shadow of the declared
// accounts, and their keys:
//
//	p PASSWD-LINE
//	g GROUP-LINE      of all groups
//	s NAME:HASH
//	k NAME _BASE64
var userSection = section{
	name: "users", kinds: []string{"user"},
	script: func(decls []*resource.Declaration) string {
		var names, secret []string
		for _, d := range decls {
			names = append(names, nameOf(d))
			if get(userSchema, d.Args, "password_hash") != nil {
				secret = append(secret, nameOf(d))
			}
		}
		script := fmt.Sprintf(`getent group | sed 's/^/g /'
getent passwd -- %s | while IFS= read -r line; do
  printf 'p %%s\n' "$line"
  rest=${line%%:*}; home=${rest##*:}; f=$home/.ssh/authorized_keys
  if [ -f "$f" ]; then printf 'k %%s _%%s\n' "${line%%%%:*}" "$(base64 -w0 -- "$f")"; fi
done
`, quoteAll(names))
		if len(secret) > 0 {
			script += fmt.Sprintf("getent shadow -- %s | cut -d: -f1,2 | sed 's/^/s /'\n", quoteAll(secret))
		}
		return script
	},
	read: readUsers,
}

// account is what a machine knows of one.
type account struct {
	uid                        int
	gid                        string
	comment, home, shell, hash string
	groups                     []string // without its own
	group                      string   // its own
	keys                       []string // lines of authorized_keys that are keys
}

func parseUsers(out []byte) (map[string]*account, error) {
	all := map[string]*account{}
	var groups [][]string
	for _, line := range lines(out) {
		what, rest, _ := strings.Cut(line, " ")
		f := strings.Split(rest, ":")
		damaged := fmt.Errorf("the machine's answer about accounts is damaged: %.80q", line)
		switch what {
		case "g":
			if len(f) == 4 {
				groups = append(groups, f)
			}
		case "p":
			if len(f) != 7 {
				return nil, damaged
			}
			uid, err := strconv.Atoi(f[2])
			if err != nil {
				return nil, damaged
			}
			all[f[0]] = &account{uid: uid, gid: f[3], comment: f[4], home: f[5], shell: f[6]}
		case "s":
			if a := all[f[0]]; a != nil && len(f) == 2 {
				a.hash = f[1]
			}
		case "k":
			name, b64, _ := strings.Cut(rest, " _")
			text, err := base64.StdEncoding.DecodeString(b64)
			if err != nil || all[name] == nil {
				return nil, damaged
			}
			for _, l := range lines(text) {
				if _, err := keyOf(l); err == nil {
					all[name].keys = append(all[name].keys, strings.TrimSpace(l))
				}
			}
		default:
			return nil, damaged
		}
	}
	for name, a := range all {
		for _, g := range groups {
			if g[2] == a.gid {
				a.group = g[0]
			} else if slices.Contains(strings.Split(g[3], ","), name) {
				a.groups = append(a.groups, g[0])
			}
		}
	}
	return all, nil
}

func readUsers(l *look, out []byte, decls []*resource.Declaration) error {
	all, err := parseUsers(out)
	if err != nil {
		return err
	}
	for _, d := range decls {
		a := all[nameOf(d)]
		if a == nil {
			continue
		}
		var note userNote
		if err := l.note(idOf("user", nameOf(d)), &note); err != nil {
			return err
		}
		l.add(d, a.args(d.Args, note), a.out(nameOf(d)))
	}
	return nil
}

func (a *account) out(name string) map[string]value.Value {
	return map[string]value.Value{"name": name, "uid": int64(a.uid), "home": a.home}
}

// args is an account in normal form; of its groups and keys, those that are
// declared or were ours.
func (a *account) args(declared value.Struct, note userNote) value.Struct {
	spec := &UserSpec{UID: &a.uid, Shell: &a.shell, Home: &a.home, Comment: &a.comment, Group: &a.group, PasswordHash: &a.hash}
	if want, _ := text(userSchema, declared, "group"); want == a.gid {
		spec.Group = &a.gid
	}
	for _, g := range slices.Concat(listOf(userSchema, declared, "groups"), note.Groups) {
		if slices.Contains(a.groups, g) && !slices.Contains(spec.Groups, g) {
			spec.Groups = append(spec.Groups, g)
		}
	}
	has := map[string]bool{}
	for _, k := range a.keys {
		if id, err := keyOf(k); err == nil {
			has[id] = true
		}
	}
	for _, k := range slices.Concat(listOf(userSchema, declared, "ssh_keys"), note.Keys) {
		if id, err := keyOf(k); err == nil && has[id] {
			spec.SSHKeys = append(spec.SSHKeys, k)
			has[id] = false // once
		}
	}
	args := userSchema.Encode(spec)
	set(userSchema, args, "name", get(userSchema, declared, "name"))
	return args
}
