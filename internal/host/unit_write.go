package host

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// unitHandler writes, enables, starts and stops units.
type unitHandler struct{}

// unitNote is what a machine remembers of a unit of ours.
type unitNote struct {
	Content bool `json:"content"` // its file is ours
	// Stale is set while a step starts it anew: a step that was cut short leaves it.
	Stale bool `json:"stale,omitempty"`
	// Started and Loaded are restart_on and reload_on as it last took them on.
	Started []Trigger `json:"started,omitempty"`
	Loaded  []Trigger `json:"loaded,omitempty"`
}

func triggerList(on []Trigger) value.List {
	out := value.List{}
	for _, t := range on {
		out = append(out, string(t))
	}
	return out
}

// renewal is what a step does to a unit that runs already.
type renewal int

const (
	leave renewal = iota
	reload
	restart
)

// unitBegin sets $U and $F, and how a unit that failed is told: its state and
// the last lines of its log.
func unitBegin(name string) string {
	return fmt.Sprintf(`U=%s F=/etc/systemd/system/$U
broken() { fail "$1
$(systemctl status --no-pager -l -n 0 -- "$U" 2>&1 | head -n 12)
last lines of its log:
$(journalctl --no-pager -q -o cat -n 15 -u "$U" 2>/dev/null)"; }
`, remote.Quote(name))
}

// Create implements [resource.Handler].
func (h unitHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec UnitSpec
	if err := unitSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	changed, does := spec.changes(r)
	begun, ended := spec.notes(r, does)
	ch := change{
		name: spec.Name, note: begun, after: ended,
		check: unitBegin(spec.Name),
		save: `mkdir "$B.new"
  if [ -e "$F" ] || [ -L "$F" ]; then cp -a -T -- "$F" "$B.new/unit"; fi
  e=$(systemctl is-enabled -- "$U" 2>/dev/null) || true; a=$(systemctl is-active -- "$U" 2>/dev/null) || true
  printf '%s %s %s\n' "$(systemctl show -p LoadState --value -- "$U")" "${e:-none}" "${a:-none}" >"$B.new/state"`,
		script: spec.script(changed, does, value.Sensitive(get(unitSchema, r.Args, "content"))),
	}
	if spec.Content != nil {
		ch.data = []byte(*spec.Content)
	} else {
		ch.check += `[ "$(systemctl show -p LoadState --value -- "$U")" != not-found ] || fail "there is no unit $U: install the package that brings it and name that in after =, or give its content"` + "\n"
	}
	if _, err := c.write(ctx, r, ch); err != nil {
		return nil, err
	}
	return c.made(r, spec.Name, map[string]value.Value{"unit": spec.Name}), nil
}

// changes says whether the unit's file is to be written, and what becomes of the
// unit where it runs.
func (s *UnitSpec) changes(r *resource.Request) (content bool, does renewal) {
	if r.Live == nil {
		content = s.Content != nil
	} else {
		for _, ch := range unitSchema.Diff(r.Args, r.Live.Args, nil) {
			switch ch.Field.Name {
			case "content":
				content = true
			case "restart_on":
				does = restart
			case "reload_on":
				does = max(does, reload)
			}
		}
	}
	if content || r.Restart || r.Live != nil && r.Live.Stuck {
		does = restart
	}
	return content, does
}

// notes are what the machine remembers while the step runs, and once it has ended
// well: only then has the unit taken on what it was started anew for.
func (s *UnitSpec) notes(r *resource.Request, does renewal) (begun, ended unitNote) {
	begun.Content, ended.Content = s.Content != nil, s.Content != nil
	if r.Live != nil {
		begun.Started, begun.Loaded = noteOfUnit(r.Live)
	}
	ended.Started, ended.Loaded = begun.Started, begun.Loaded
	if s.RestartOn != nil {
		ended.Started = *s.RestartOn
	}
	if s.ReloadOn != nil {
		ended.Loaded = *s.ReloadOn
	}
	begun.Stale = does == restart
	return begun, ended
}

// noteOfUnit is what a unit took on, as the machine remembers it.
func noteOfUnit(o *resource.Object) (started, loaded []Trigger) {
	var note unitNote
	if rec, _ := o.Native.(record); len(rec.Note) > 0 && json.Unmarshal(rec.Note, &note) == nil {
		return note.Started, note.Loaded
	}
	return nil, nil
}

// script brings the unit to what is declared.
func (s *UnitSpec) script(changed bool, does renewal, sensitive bool) string {
	var b strings.Builder
	if s.Masked != nil && !*s.Masked || s.Content != nil {
		b.WriteString("if [ -L \"$F\" ] && [ \"$(readlink \"$F\")\" = /dev/null ]; then systemctl unmask -q -- \"$U\"; fi\n")
	}
	if changed {
		mode := "0644"
		if sensitive {
			mode = "0600"
		}
		fmt.Fprintf(&b, `T=$(mktemp /etc/systemd/system/.swarmscript.XXXXXXXX)
trap 'rm -f "$T"' EXIT HUP INT TERM
cat >"$T"
[ "$(stat -c %%s -- "$T")" = %d ] || fail "the unit file arrived in part only"
chmod %s "$T"; sync "$T"; mv -fT -- "$T" "$F"
systemctl daemon-reload
l=$(systemctl show -p LoadState --value -- "$U")
[ "$l" = loaded ] || broken "systemd does not take the unit file ($l)"
`, len(*s.Content), mode)
	}
	yes := func(v *bool) bool { return v != nil && *v }
	no := func(v *bool) bool { return v != nil && !*v }
	switch {
	case yes(s.Enabled):
		b.WriteString(`systemctl enable -q -- "$U" 2>&1 || fail "$U cannot be enabled"
case $(systemctl is-enabled -- "$U" 2>/dev/null) in enabled | alias) ;; *) fail "$U cannot be enabled: its file has no [Install] section that says when it is wanted (systemctl is-enabled: $(systemctl is-enabled -- "$U" 2>/dev/null))" ;; esac
`)
	case no(s.Enabled):
		b.WriteString("systemctl disable -q -- \"$U\" 2>&1 || fail \"$U cannot be disabled\"\n")
	}
	switch {
	case no(s.Running):
		b.WriteString("systemctl stop -- \"$U\" 2>/dev/null || broken \"$U does not stop\"\n")
	case yes(s.Running):
		verb := map[renewal]string{leave: "start", reload: "reload-or-restart", restart: "restart"}[does]
		b.WriteString("systemctl reset-failed -- \"$U\" 2>/dev/null || true\nsystemctl " + verb + " -- \"$U\" 2>/dev/null || broken \"$U does not " + strings.TrimSuffix(verb, "-or-restart") + "\"\n")
	case does == reload:
		b.WriteString("systemctl try-reload-or-restart -- \"$U\" 2>/dev/null || broken \"$U does not reload\"\n")
	case does == restart:
		b.WriteString("systemctl try-restart -- \"$U\" 2>/dev/null || broken \"$U does not restart\"\n")
	}
	if yes(s.Masked) {
		b.WriteString("systemctl mask -q --now -- \"$U\" 2>&1 || fail \"$U cannot be masked: is its own file in /etc/systemd/system?\"\n")
	}
	return b.String()
}

// Update implements [resource.Handler].
func (h unitHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// settleFor is how long a unit that was started must run: what dies at once is
// not running.
const settleFor = 2 * time.Second

// Settle implements [resource.Settler].
func (unitHandler) Settle(ctx context.Context, rc resource.Conn, r *resource.Request, o *resource.Object) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	if run, _ := get(unitSchema, r.Args, "running").(bool); !run {
		return nil
	}
	_, err = c.run(ctx, unitBegin(o.Name)+fmt.Sprintf(`left=%d
while [ "$left" -gt 0 ]; do
  case $(systemctl show -p ActiveState -p SubState --value -- "$U" | tr '\n' ' ') in
    'active '* | 'reloading '*) left=$((left - 1)) ;;
    'activating auto-restart '*) broken "$U ended after it was started, and systemd starts it again and again" ;;
    'activating '*) ;;
    *) if [ "$(systemctl show -p Type -p RemainAfterExit --value -- "$U" | tr '\n' ' ')" = 'oneshot no ' ]; then fail "$U ran and ended, so it never runs: leave running out, or give it RemainAfterExit=yes"; fi
       broken "$U ended after it was started" ;;
  esac
  sleep 0.4
done`, settleFor/(400*time.Millisecond)), nil)
	if f, ok := err.(*failure); ok {
		summary, detail, _ := strings.Cut(f.msg, "\n")
		return &resource.NotConverged{Address: r.Address, Summary: summary, Detail: detail}
	}
	return err
}

// Delete implements [resource.Handler].
func (unitHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, unitBegin(r.Live.Name)+`load=not-found enabled=none active=none
if [ -e "$B/state" ]; then read -r load enabled active <"$B/state"; fi
if [ "$load" = not-found ]; then
  systemctl disable -q --now -- "$U" 2>/dev/null || systemctl stop -- "$U" 2>/dev/null || true
fi
if [ "$load" != masked ] && [ -L "$F" ] && [ "$(readlink "$F")" = /dev/null ]; then rm -f "$F"; fi
if [ -e "$B/unit" ] || [ -L "$B/unit" ]; then
  rm -f "$F"; cp -a -T -- "$B/unit" "$F"
elif grep -q '"content":true' "$M"; then
  rm -f "$F"
fi
systemctl daemon-reload
case $enabled in
  enabled) systemctl enable -q -- "$U" 2>&1 || true ;;
  disabled) systemctl disable -q -- "$U" 2>&1 || true ;;
esac
case $active in
  active) systemctl start -- "$U" 2>/dev/null || broken "$U, as it was before us, does not start" ;;
  inactive | failed) systemctl stop -- "$U" 2>/dev/null || true ;;
esac
systemctl reset-failed -- "$U" 2>/dev/null || true
`)
}
