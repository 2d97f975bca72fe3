package host

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// SysctlSpec is a setting of a machine's kernel.
type SysctlSpec struct {
	Name       string `star:"name,required,pos,local" doc:"Its name, as net.ipv4.ip_forward; with slashes where a part has a dot in it."`
	Value      any    `star:"value,required" doc:"What it is: text or a number."`
	Persistent bool   `star:"persistent" default:"true" doc:"Whether it is set again when the machine starts: by a file of its own in /etc/sysctl.d."`
}

// SchemaName implements [schema.Named].
func (*SysctlSpec) SchemaName() (string, string) {
	return "sysctl", "A setting of a machine's kernel. When it is no longer declared, it is set to what it was before us."
}

var sysctlSchema = schema.Of(SysctlSpec{})

// SysctlKind is a setting of a machine's kernel.
var SysctlKind = &resource.Kind{
	Name:      "sysctl",
	Schema:    sysctlSchema,
	Scope:     "host",
	Rank:      6,
	Keyless:   true,
	TakesOver: true,
	Check:     hiding(sysctlSchema, checkSysctl),
	Complete:  completeSysctl,
	Ending:    asBefore,
	Handler:   sysctlHandler{},
}

var sysctlName = pattern.Of(`^[A-Za-z0-9_-]+([./][A-Za-z0-9_.:@-]+)+$`)

func checkSysctl(args value.Struct) (ps schema.Problems) {
	if s, ok := get(sysctlSchema, args, "name").(string); ok && (!sysctlName().MatchString(s) || strings.Contains(s, "..")) {
		ps = append(ps, &schema.Problem{Path: "name", Msg: fmt.Sprintf("got %q, want the name of a setting, as net.ipv4.ip_forward", s)})
	}
	switch v := value.Reveal(get(sysctlSchema, args, "value")).(type) {
	case nil, int64, value.Ref, *value.Template:
	case string:
		if strings.TrimSpace(v) == "" || strings.ContainsAny(v, "\n\r") {
			ps = append(ps, &schema.Problem{Path: "value", Msg: "want one line that is not blank"})
		}
	default:
		ps = append(ps, &schema.Problem{Path: "value", Msg: "want text or a number"})
	}
	return ps
}

// completeSysctl writes the value as the kernel shows it.
func completeSysctl(args value.Struct) {
	switch v := get(sysctlSchema, args, "value").(type) {
	case int64:
		set(sysctlSchema, args, "value", strconv.FormatInt(v, 10))
	case string:
		set(sysctlSchema, args, "value", oneSpace(v))
	}
}

func oneSpace(s string) string { return strings.Join(strings.Fields(s), " ") }

// sysctlPath is the setting's file; sysctlConf the one that sets it at boot.
func sysctlPath(name string) string {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	return "/proc/sys/" + name
}

func sysctlConf(name string) string {
	return "/etc/sysctl.d/90-swarmscript-" + strings.ReplaceAll(name, "/", ".") + ".conf"
}

// sysctlSection prints, by place, v and the setting, and f and its file.
var sysctlSection = section{
	name: "sysctls", kinds: []string{"sysctl"},
	script: func(decls []*resource.Declaration) string {
		var b strings.Builder
		for i, d := range decls {
			p, f := remote.Quote(sysctlPath(nameOf(d))), remote.Quote(sysctlConf(nameOf(d)))
			fmt.Fprintf(&b, "if [ -f %s ]; then printf 'v %d %%s\\n' \"$(base64 -w0 %s)\"; fi\n", p, i, p)
			fmt.Fprintf(&b, "if [ -f %s ]; then printf 'f %d %%s\\n' \"$(base64 -w0 %s)\"; fi\n", f, i, f)
		}
		return b.String()
	},
	read: readSysctls,
}

func readSysctls(l *look, out []byte, decls []*resource.Declaration) error {
	live, conf := map[int]string{}, map[int]string{}
	for _, line := range lines(out) {
		w := strings.Split(line, " ")
		if len(w) != 3 {
			return fmt.Errorf("the machine's answer about settings is damaged: %.80q", line)
		}
		i, err1 := strconv.Atoi(w[1])
		text, err2 := base64.StdEncoding.DecodeString(w[2])
		if err1 != nil || err2 != nil {
			return fmt.Errorf("the machine's answer about settings is damaged: %.80q", line)
		}
		if w[0] == "v" {
			live[i] = oneSpace(string(text))
		} else if _, v, ok := strings.Cut(string(text), "="); ok {
			conf[i] = oneSpace(v)
		}
	}
	for i, d := range decls {
		v, there := live[i]
		if !there {
			continue
		}
		kept, isKept := conf[i]
		args := sysctlSchema.Encode(&SysctlSpec{Value: v, Persistent: isKept && kept == v})
		set(sysctlSchema, args, "name", get(sysctlSchema, d.Args, "name"))
		if value.Sensitive(get(sysctlSchema, d.Args, "value")) {
			set(sysctlSchema, args, "value", value.Secret{V: v})
		}
		l.add(d, args, nil)
	}
	return nil
}

// sysctlHandler writes settings.
type sysctlHandler struct{}

// Create implements [resource.Handler].
func (sysctlHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec SysctlSpec
	if err := sysctlSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	want := oneSpace(value.Text(spec.Value))
	script := sysctlWrite + fmt.Sprintf(`is=$(tr -s ' \t' ' ' <"$P")
[ "$is" = "$V" ] || { [ ! -e "$B" ] || cat "$B" >"$P" 2>/dev/null || true; fail "the kernel makes $is of $V for $K"; }
rm -f "$C"
if %t; then
  mkdir -p /etc/sysctl.d; printf '%%s = %%s\n' "$K" "$V" >"$C.new"; mv -f "$C.new" "$C"
fi
`, spec.Persistent)
	_, err = c.write(ctx, r, change{
		name: spec.Name,
		check: sysctlBegin(spec.Name) + fmt.Sprintf(`V=%s
[ -f "$P" ] || fail "the kernel has no setting $K: is its module loaded, and the name right?"
`, remote.Quote(want)),
		save:   `cat "$P" >"$B.new"`,
		script: script,
	})
	if err != nil {
		return nil, err
	}
	return c.made(r, spec.Name, nil), nil
}

func sysctlBegin(name string) string {
	return fmt.Sprintf("K=%s P=%s C=%s\n", remote.Quote(name), remote.Quote(sysctlPath(name)), remote.Quote(sysctlConf(name)))
}

// sysctlWrite sets $P to $V.
const sysctlWrite = `said=$(printf '%s\n' "$V" | tee -- "$P" 2>&1 >/dev/null) || fail "the kernel refuses $K = $V: ${said##*: } (inside a container or another namespace, only the settings that are its own can be written)"
`

// Update implements [resource.Handler].
func (h sysctlHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler].
func (sysctlHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, sysctlBegin(r.Live.Name)+`rm -f "$C"
if [ -e "$B" ] && [ -f "$P" ] && [ "$(cat "$B")" != "$(cat "$P")" ]; then V=$(cat "$B")
`+sysctlWrite+"fi")
}
