package host

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Fail2banSpec is what fail2ban watches.
type Fail2banSpec struct {
	Enabled  bool                      `star:"enabled" default:"true" doc:"Whether it runs, now and when the machine starts."`
	Defaults map[string]any            `star:"defaults" doc:"Options of all jails, by fail2ban's names: {\"bantime\": \"1h\", \"maxretry\": 5, \"ignoreip\": [\"10.0.0.0/8\"]}."`
	Jails    map[string]map[string]any `star:"jails" doc:"Jails by name, with their options: {\"sshd\": {\"maxretry\": 3}}. One is on unless it has \"enabled\": False. There is always one for sshd, which reads systemd's journal unless it has a backend or a logpath."`
}

// SchemaName implements [schema.Named].
func (*Fail2banSpec) SchemaName() (string, string) {
	return "fail2ban", "What fail2ban, which must be installed (with python3-systemd, to read the journal), watches: a file in /etc/fail2ban/jail.d. A configuration that fail2ban refuses is not kept. When it is no longer declared, the file goes."
}

var fail2banSchema = schema.Of(Fail2banSpec{})

// Fail2banKind is what fail2ban watches on a machine.
var Fail2banKind = &resource.Kind{
	Name:      "fail2ban",
	Schema:    fail2banSchema,
	Scope:     "host",
	Rank:      3,
	Keyless:   true,
	TakesOver: true,
	Single:    true,
	Restarts:  true,
	Check:     hiding(fail2banSchema, checkFail2ban),
	Complete:  completeFail2ban,
	Ending:    asBefore,
	Needs:     needsPackages("fail2ban", "python3-systemd"),
	Handler:   fail2banHandler{},
}

const fail2banFile = "/etc/fail2ban/jail.d/90-swarmscript.local"

// optionName is that of an option or a jail.
var optionName = pattern.Of(`^[A-Za-z0-9_./-]+$`)

func checkFail2ban(args value.Struct) (ps schema.Problems) {
	check := func(path string, m *value.Map) {
		for i := range m.Len() {
			e := m.Entries[i]
			at := fmt.Sprintf("%s[%q]", path, e.Key)
			if !optionName().MatchString(e.Key) {
				ps = append(ps, &schema.Problem{Path: at, Msg: "is no name of an option"})
			}
			if s, ok := optionText(e.Value); value.Known(e.Value) && (!ok || strings.ContainsAny(s, "\n\r")) {
				ps = append(ps, &schema.Problem{Path: at, Msg: "want one line of text, a number, a bool, or a list of texts"})
			}
		}
	}
	defaults, _ := value.Reveal(get(fail2banSchema, args, "defaults")).(*value.Map)
	check("defaults", defaults)
	jails, _ := value.Reveal(get(fail2banSchema, args, "jails")).(*value.Map)
	for i := range jails.Len() {
		e := jails.Entries[i]
		if !optionName().MatchString(e.Key) || strings.EqualFold(e.Key, "DEFAULT") || strings.EqualFold(e.Key, "INCLUDES") {
			ps = append(ps, &schema.Problem{Path: "jails", Msg: fmt.Sprintf("%q is no name of a jail", e.Key)})
		}
		options, _ := value.Reveal(e.Value).(*value.Map)
		check(fmt.Sprintf("jails[%q]", e.Key), options)
	}
	return ps
}

// optionText is how fail2ban writes a value.
func optionText(v value.Value) (string, bool) {
	switch v := value.Reveal(v).(type) {
	case string, int64, float64, bool:
		return strings.TrimSpace(value.Text(v)), true
	case value.List:
		var words []string
		for _, e := range v {
			s, ok := optionText(e)
			if !ok {
				return "", false
			}
			words = append(words, s)
		}
		return strings.Join(words, " "), true
	}
	return "", false
}

// completeFail2ban writes all options as fail2ban does, and those that a jail
// has unless told otherwise.
func completeFail2ban(args value.Struct) {
	if m, ok := get(fail2banSchema, args, "defaults").(*value.Map); ok {
		set(fail2banSchema, args, "defaults", asOptions(m, nil))
	}
	v := get(fail2banSchema, args, "jails")
	jails, ok := v.(*value.Map)
	if v != nil && !ok {
		return // not known yet
	}
	if _, has := jails.Get("sshd"); !has { // Debian has it on, and with a log that may not be there
		all := []value.Entry{{Key: "sshd", Value: (*value.Map)(nil)}}
		for i := range jails.Len() {
			all = append(all, jails.Entries[i])
		}
		jails = value.NewMap(all)
	}
	defaults, _ := get(fail2banSchema, args, "defaults").(*value.Map)
	_, backend := defaults.Get("backend")
	out := make([]value.Entry, len(jails.Entries))
	for i, e := range jails.Entries {
		options, isMap := e.Value.(*value.Map)
		if out[i] = e; !isMap && e.Value != nil {
			continue
		}
		more := map[string]string{"enabled": "true"}
		_, own := options.Get("backend")
		if _, path := options.Get("logpath"); e.Key == "sshd" && !own && !path && !backend {
			more["backend"] = "systemd"
		}
		out[i].Value = asOptions(options, more)
	}
	set(fail2banSchema, args, "jails", &value.Map{Entries: out})
}

// asOptions writes the values of options as text, beside those of more that are
// not among them.
func asOptions(m *value.Map, more map[string]string) *value.Map {
	var out []value.Entry
	for k, v := range more {
		out = append(out, value.Entry{Key: k, Value: v})
	}
	for i := range m.Len() {
		e := m.Entries[i]
		if s, ok := optionText(e.Value); ok {
			if _, secret := e.Value.(value.Secret); secret {
				e.Value = value.Secret{V: s}
			} else {
				e.Value = s
			}
		}
		out = append(out, e)
	}
	return value.NewMap(out)
}

// render is the file.
func (s *Fail2banSpec) render() string {
	var b strings.Builder
	section := func(name string, options map[string]any) {
		fmt.Fprintf(&b, "[%s]\n", name)
		for _, k := range slices.Sorted(maps.Keys(options)) {
			text, _ := optionText(options[k])
			fmt.Fprintf(&b, "%s = %s\n", k, text)
		}
		b.WriteByte('\n')
	}
	if len(s.Defaults) > 0 {
		section("DEFAULT", s.Defaults)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Jails)) {
		section(name, s.Jails[name])
	}
	return b.String()
}

// parseJails reads such a file; an option that goes on over more lines keeps
// them as they are.
func parseJails(file string) *Fail2banSpec {
	s := &Fail2banSpec{Defaults: map[string]any{}, Jails: map[string]map[string]any{}}
	var in map[string]any
	for line := range strings.Lines(file) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			if name := line[1 : len(line)-1]; name == "DEFAULT" {
				in = s.Defaults
			} else {
				in = map[string]any{}
				s.Jails[name] = in
			}
		case in != nil:
			k, v, _ := strings.Cut(line, "=")
			in[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return s
}

var fail2banSection = section{
	name: "fail2ban", kinds: []string{"fail2ban"},
	script: func([]*resource.Declaration) string {
		return fmt.Sprintf(`command -v fail2ban-client >/dev/null || exit 0
e=$(systemctl is-enabled fail2ban.service 2>/dev/null); a=$(systemctl is-active fail2ban.service)
printf '%%s\n%%s\n' "${e:-none}" "${a:-none}"
if [ -f %s ]; then base64 -w0 %s; fi`, fail2banFile, fail2banFile)
	},
	read: func(l *look, out []byte, decls []*resource.Declaration) error {
		got := lines(out)
		if len(got) < 3 {
			return nil // not installed, or nothing of ours
		}
		file, err := base64.StdEncoding.DecodeString(got[2])
		if err != nil {
			return fmt.Errorf("the machine's answer about fail2ban is damaged: %w", err)
		}
		spec := parseJails(string(file))
		spec.Enabled = got[0] == "enabled" && got[1] == "active"
		for _, d := range decls {
			l.add(d, fail2banSchema.Encode(spec), nil)
		}
		return nil
	},
}

// fail2banHandler writes the file.
type fail2banHandler struct{}

// fail2banBegin sets $P, the file.
const fail2banBegin = "P=" + fail2banFile + `
command -v fail2ban-client >/dev/null || fail "fail2ban is not installed: declare package(\"fail2ban\") and package(\"python3-systemd\")"
broken() { fail "$1
$(fail2ban-client -t 2>&1 | grep -v WARNING | tail -n 5)
last lines of its log:
$(journalctl --no-pager -q -o cat -n 10 -u fail2ban.service 2>/dev/null)"; }
`

// Create implements [resource.Handler].
func (fail2banHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec Fail2banSpec
	if err := fail2banSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	script := fmt.Sprintf(`T=$P.new; old=$P.old
trap 'rm -f "$T" "$old"' EXIT HUP INT TERM
if [ -e "$P" ]; then cp -a -- "$P" "$old"; fi
(umask 077; cat >"$T"); sync "$T"; mv -fT -- "$T" "$P"
if %t && ! said=$(fail2ban-client -t 2>&1); then
  if [ -e "$old" ]; then mv -f "$old" "$P"; else rm -f "$P"; fi
  fail "fail2ban refuses this, so it has what it had before: $(printf '%%s' "$said" | grep -v WARNING | tail -n 5)"
fi
`, spec.Enabled)
	if spec.Enabled {
		script += `systemctl enable -q fail2ban.service 2>&1 || fail "fail2ban.service cannot be enabled"
systemctl reset-failed fail2ban.service 2>/dev/null || true
systemctl restart fail2ban.service 2>/dev/null || broken "fail2ban does not start"
n=0
until fail2ban-client ping >/dev/null 2>&1; do
  n=$((n + 1)); [ "$n" -lt 60 ] || broken "fail2ban does not answer"
  systemctl is-active -q fail2ban.service || broken "fail2ban ended after it was started"
  sleep 0.5
done
`
		for _, name := range slices.Sorted(maps.Keys(spec.Jails)) {
			if on, _ := optionText(spec.Jails[name]["enabled"]); on == "true" {
				script += fmt.Sprintf("fail2ban-client status %s >/dev/null 2>&1 || broken %s\n", remote.Quote(name), remote.Quote("fail2ban has no jail "+name))
			}
		}
	} else {
		script += "systemctl disable -q --now fail2ban.service 2>&1 || fail 'fail2ban.service cannot be stopped'\n"
	}
	_, err = c.write(ctx, r, change{
		name: r.Address.Kind(), check: fail2banBegin,
		save: `e=$(systemctl is-enabled fail2ban.service 2>/dev/null) || true; a=$(systemctl is-active fail2ban.service) || true
  printf '%s %s\n' "${e:-none}" "${a:-none}" >"$B.new"`,
		script: script, data: []byte(spec.render()),
	})
	if err != nil {
		return nil, err
	}
	return c.made(r, r.Address.Kind(), nil), nil
}

// Update implements [resource.Handler].
func (h fail2banHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler].
func (fail2banHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, "rm -f "+fail2banFile+`
enabled=none active=none
if [ -e "$B" ]; then read -r enabled active <"$B"; fi
if [ "$enabled" = disabled ]; then systemctl disable -q fail2ban.service 2>/dev/null || true; fi
if [ "$active" = active ]; then systemctl restart fail2ban.service 2>/dev/null || true
else systemctl stop fail2ban.service 2>/dev/null || true; fi`)
}
