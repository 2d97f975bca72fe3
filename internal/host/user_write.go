package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// userHandler makes accounts and changes them.
type userHandler struct{}

// Create implements [resource.Handler].
func (userHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec UserSpec
	if err := userSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	was := noteOf(r.Live)
	var hash []byte
	if spec.PasswordHash != nil {
		hash = []byte(spec.Name + ":" + *spec.PasswordHash + "\n")
	}
	out, err := c.write(ctx, r, change{
		name: spec.Name, note: userNote{spec.Groups, spec.SSHKeys},
		check: userBegin(spec.Name) + spec.groupCheck(),
		save: `if line=$(getent passwd -- "$N"); then
    mkdir "$B.new"; printf '%s\n' "$line" >"$B.new/passwd"; id -Gn -- "$N" >"$B.new/groups"
    home; if [ -f "$K" ]; then cp -a -- "$K" "$B.new/keys"; fi
    getent shadow -- "$N" | cut -d: -f1,2 >"$B.new/shadow"
  fi`,
		script: spec.script(was), data: hash,
	})
	if err != nil {
		return nil, err
	}
	all, err := parseUsers(out)
	if err != nil {
		return nil, err
	}
	o := c.made(r, spec.Name, nil)
	if a := all[spec.Name]; a != nil {
		o.Out = a.out(spec.Name)
	}
	return o, nil
}

// userBegin sets $N; home sets $H, the home folder, and $K, the keys in it.
func userBegin(name string) string {
	return fmt.Sprintf(`N=%s
home() { H=$(getent passwd -- "$N" | cut -d: -f6); K=$H/.ssh/authorized_keys; }
must() { said=$("$@" 2>&1 </dev/null) || fail "$1: ${said:-failed without a word}"; }
`, remote.Quote(name))
}

// groupCheck ends with fail where a group is not there.
func (s *UserSpec) groupCheck() string {
	groups := slices.Clone(s.Groups)
	if s.Group != nil {
		groups = append(groups, *s.Group)
	}
	if len(groups) == 0 {
		return ""
	}
	return fmt.Sprintf(`for g in %s; do getent group "$g" >/dev/null || fail "there is no group $g: install the package that makes it, and name that in after ="; done
`, quoteAll(groups))
}

// script makes the account, or brings it to what is declared.
func (s *UserSpec) script(was userNote) string {
	var b strings.Builder
	option := func(flag string, v *string) string {
		if v == nil {
			return ""
		}
		return " " + flag + " " + remote.Quote(*v)
	}
	both := option("-g", s.Group) + option("-s", s.Shell) + option("-d", s.Home) + option("-c", s.Comment)
	if s.UID != nil {
		both += fmt.Sprintf(" -u %d", *s.UID)
	}
	create := " -M"
	if s.CreateHome {
		create = " -m"
	}
	if s.System {
		create += " -r"
	}
	fmt.Fprintf(&b, "if ! getent passwd -- \"$N\" >/dev/null; then must useradd%s%s -- \"$N\"\n", create, both)
	if both != "" {
		fmt.Fprintf(&b, "else must usermod%s -- \"$N\"\n", both)
	}
	b.WriteString("fi\n")
	for _, g := range was.Groups {
		if !slices.Contains(s.Groups, g) {
			fmt.Fprintf(&b, "gpasswd -d \"$N\" %s >/dev/null 2>&1 || true\n", remote.Quote(g))
		}
	}
	if len(s.Groups) > 0 {
		fmt.Fprintf(&b, "must usermod -a -G %s -- \"$N\"\n", remote.Quote(strings.Join(s.Groups, ",")))
	}
	if s.PasswordHash != nil {
		b.WriteString("chpasswd -e || fail 'chpasswd failed'\n")
	}
	b.WriteString(keysScript(s.SSHKeys, was.Keys))
	b.WriteString("getent group | sed 's/^/g /'\ngetent passwd -- \"$N\" | sed 's/^/p /'\n")
	return b.String()
}

// keysScript adds keys to authorized_keys, and takes those away that were ours.
// Lines are compared by the key in them: what is before and after it may change.
func keysScript(keys, were []string) string {
	if len(keys) == 0 && len(were) == 0 {
		return ""
	}
	drop := ""
	for _, k := range slices.Concat(keys, were) {
		drop += keyWord(k) + "\n"
	}
	return fmt.Sprintf(`home
if [ -z "$H" ] || [ ! -d "$H" ]; then fail "the home folder $H of $N is not there, so it can have no keys"; fi
[ -d "$H/.ssh" ] || install -d -m 0700 -o "$N" -g "$(id -g -- "$N")" -- "$H/.ssh"
T=$(mktemp -- "$H/.ssh/.swarmscript.XXXXXXXX"); trap 'rm -f "$T"' EXIT HUP INT TERM
drop=%s
if [ -f "$K" ]; then printf '%%s' "$drop" | grep -v -F -f - -- "$K" >"$T" || true; fi
printf '%%s' %s >>"$T"
chown "$N:$(id -g -- "$N")" "$T"; chmod 0600 "$T"; mv -fT -- "$T" "$K"
`, remote.Quote(drop), remote.Quote(joinLines(keys)))
}

func joinLines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}

// keyWord is the key itself in a line of authorized_keys.
func keyWord(line string) string {
	for _, w := range strings.Fields(line) {
		if strings.HasPrefix(w, "AAAA") {
			return w
		}
	}
	return line
}

func noteOf(o *resource.Object) (n userNote) {
	if o == nil {
		return n
	}
	if rec, ok := o.Native.(record); ok && len(rec.Note) > 0 {
		// A damaged one was refused when it was read.
		_ = json.Unmarshal(rec.Note, &n)
	}
	return n
}

// Update implements [resource.Handler].
func (h userHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler].
func (userHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	was := noteOf(r.Live)
	var ours strings.Builder
	for _, g := range was.Groups {
		fmt.Fprintf(&ours, "case \" $(cat \"$B/groups\") \" in *' '%s' '*) ;; *) gpasswd -d \"$N\" %s >/dev/null 2>&1 || true ;; esac\n", remote.Quote(g), remote.Quote(g))
	}
	return c.drop(ctx, r, userBegin(r.Live.Name)+`if [ ! -e "$B" ]; then
  if getent passwd -- "$N" >/dev/null; then
    p=$(pgrep -u "$N" | head -n 5 | tr '\n' ' ') || true
    [ -z "$p" ] || fail "processes of $N still run ($p): end them, and run it again"
    must userdel -- "$N"
  fi
elif getent passwd -- "$N" >/dev/null; then
  IFS=: read -r n x uid gid comment homedir shell <"$B/passwd"
  must usermod -g "$gid" -c "$comment" -d "$homedir" -s "$shell" -- "$N"
  chpasswd -e <"$B/shadow" || true
  `+ours.String()+`
  home
  if [ -e "$B/keys" ]; then cp -a -T -- "$B/keys" "$K"; elif [ -f "$K" ]; then :
  `+keysScript(nil, was.Keys)+`
  fi
fi`)
}
