package host

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// UnitSpec is a unit of systemd.
type UnitSpec struct {
	Name    string  `star:"name,required,pos,local" doc:"Its name, with what it is: app.service, backup.timer."`
	Content *string `star:"content" doc:"Its unit file, written to /etc/systemd/system. Left out for a unit that a package brings."`
	Enabled *bool   `star:"enabled" doc:"Whether it is started when the machine starts; left as it is if left out."`
	Running *bool   `star:"running" doc:"Whether it runs; left as it is if left out, but a running unit is started anew when its content changes."`
	Masked  *bool   `star:"masked" doc:"Whether nothing can start it; left as it is if left out."`

	RestartOn *[]Trigger `star:"restart_on,set" ref:"file.revision" doc:"Files, or other values such as a package's version, that it takes on when it starts: a running unit is started anew where they are not what it was started with."`
	ReloadOn  *[]Trigger `star:"reload_on,set" ref:"file.revision" doc:"The same for what a reload takes on. A unit that cannot reload is started anew."`
}

// Trigger is what stands for something that a unit takes on: a SHA-256, of a
// file's revision or of any other text, which is all that the machine keeps of it.
// A revision is more than the content: what was changed by hand, and put back, may
// be what the unit runs with.
type Trigger string

var sha256Hex = pattern.Of(`^[0-9a-f]{64}$`)

// Normal implements [schema.Normaler].
func (t Trigger) Normal() (string, error) {
	if sha256Hex().MatchString(string(t)) {
		return string(t), nil
	}
	return sumOf([]byte(t)), nil
}

// SchemaName implements [schema.Named].
func (*UnitSpec) SchemaName() (string, string) {
	return "systemd_unit", "A unit of systemd. With restart_on and reload_on it takes on files that change, once, also where an apply was cut off before it did; lifecycle(replace_on = [...]) starts it anew when those values change. When it is no longer declared, one that we made is stopped and removed; of another, its file, and whether it is enabled and runs, are what they were before us."
}

var unitSchema = schema.Of(UnitSpec{})

// UnitKind is a unit of systemd.
var UnitKind = &resource.Kind{
	Name:      "systemd_unit",
	Schema:    unitSchema,
	Scope:     "host",
	Rank:      20, // before the files that it reads
	Keyless:   true,
	TakesOver: true,
	Restarts:  true,
	Out: []resource.Output{
		{Name: "unit", Type: "string", Stable: true, Arg: "name", Doc: "Its name."},
	},
	Check:   hiding(unitSchema, checkUnit),
	Effect:  unitEffect,
	Ending:  asBefore,
	Handler: unitHandler{},
}

// unitName is what systemd takes; a template's instance has an @ in it.
var unitName = pattern.Of(`^[A-Za-z0-9:_.@\\-]+\.(service|socket|timer|path|mount|automount|swap|target|slice)$`)

func checkUnit(args value.Struct) (ps schema.Problems) {
	name, ok := text(unitSchema, args, "name")
	if ok && !unitName().MatchString(name) {
		p := &schema.Problem{Path: "name", Msg: fmt.Sprintf("got %q, want the name of a unit with its type", name)}
		if unitName().MatchString(name + ".service") {
			p.Hint = fmt.Sprintf("%q", name+".service")
		}
		ps = append(ps, p)
	}
	yes := func(arg string) bool { b, _ := value.Reveal(get(unitSchema, args, arg)).(bool); return b }
	if yes("masked") {
		for _, arg := range []string{"enabled", "running"} {
			if yes(arg) {
				ps = append(ps, &schema.Problem{Path: arg, Msg: "nothing can start a unit that is masked"})
			}
		}
		if get(unitSchema, args, "content") != nil {
			ps = append(ps, &schema.Problem{Path: "content", Msg: "a unit that is masked has no file in /etc/systemd/system"})
		}
	}
	return ps
}

func unitEffect(live *resource.Object, args value.Struct, changes []schema.Change, restart bool) string {
	was, _ := get(unitSchema, live.Args, "running").(bool)
	reload := false
	for _, c := range changes {
		switch c.Field.Name {
		case "running":
			if b, _ := c.After.(bool); b {
				return "started"
			}
			return resource.Interrupted + ": stopped"
		case "content", "restart_on":
			restart = true
		case "reload_on":
			reload = true
		}
	}
	switch {
	case restart && was:
		return resource.Interrupted + " for a moment: started anew"
	case reload && was:
		return "reloaded"
	}
	return ""
}

// unitSection asks systemd for the declared units.
var unitSection = section{
	name: "units", kinds: []string{"systemd_unit"},
	script: func(decls []*resource.Declaration) string {
		var names []string
		for _, d := range decls {
			names = append(names, nameOf(d))
		}
		return fmt.Sprintf(`set -- %s
command -v systemctl >/dev/null || echo none
for u in "$@"; do f=/etc/systemd/system/$u; if [ -f "$f" ] && [ ! -L "$f" ]; then printf 'c _%%s %%s\n' "$(base64 -w0 -- "$f")" "$u"; fi; done
systemctl show --no-pager -p LoadState -p ActiveState -p SubState -p UnitFileState -- "$@"`, quoteAll(names))
	},
	read: readUnits,
}

// unit is a unit as systemd has it.
type unit struct {
	content    string
	hasContent bool
	load       string // loaded, not-found, masked, bad-setting, error
	active     string // active, reloading, activating, deactivating, inactive, failed
	sub        string
	file       string // enabled, disabled, static, masked, ...
}

// parseUnits reads what the section printed: systemd answers in the order of the
// question, with a blank line between two units.
func parseUnits(out []byte, names []string) (map[string]*unit, error) {
	all := map[string]*unit{}
	for _, n := range names {
		all[n] = &unit{}
	}
	i := 0
	for _, line := range lines(out) {
		k, v, isProperty := strings.Cut(line, "=")
		switch {
		case line == "none":
			return nil, fmt.Errorf("the machine has no systemctl: systemd_unit needs systemd")
		case strings.HasPrefix(line, "c _"):
			b64, name, _ := strings.Cut(strings.TrimPrefix(line, "c _"), " ")
			text, err := base64.StdEncoding.DecodeString(b64)
			if err != nil || all[name] == nil {
				return nil, fmt.Errorf("the machine's answer about units is damaged: %.80q", line)
			}
			all[name].content, all[name].hasContent = string(text), true
		case line == "":
			i++
		case isProperty && i < len(names):
			u := all[names[i]]
			switch k {
			case "LoadState":
				u.load = v
			case "ActiveState":
				u.active = v
			case "SubState":
				u.sub = v
			case "UnitFileState":
				u.file = v
			}
		}
	}
	for _, n := range names {
		if all[n].load == "" {
			return nil, fmt.Errorf("systemd says nothing of %s: is it what runs the machine?", n)
		}
	}
	return all, nil
}

func (u *unit) running() bool {
	switch u.active {
	case "active", "reloading":
		return true
	case "activating":
		return u.sub != "auto-restart"
	}
	return false
}

func (u *unit) enabled() bool { return u.file == "enabled" || u.file == "alias" }

func readUnits(l *look, out []byte, decls []*resource.Declaration) error {
	var names []string
	for _, d := range decls {
		names = append(names, nameOf(d))
	}
	all, err := parseUnits(out, names)
	if err != nil {
		return err
	}
	for _, d := range decls {
		u := all[nameOf(d)]
		if u.load == "not-found" && !u.hasContent {
			continue
		}
		running, enabled, masked := u.running(), u.enabled(), u.load == "masked"
		args := unitSchema.Encode(&UnitSpec{Running: &running, Enabled: &enabled, Masked: &masked})
		set(unitSchema, args, "name", get(unitSchema, d.Args, "name"))
		if want := get(unitSchema, d.Args, "content"); want != nil && u.hasContent {
			var v value.Value = u.content
			if value.Sensitive(want) {
				v = value.Secret{V: v}
			}
			set(unitSchema, args, "content", v)
		}
		var note unitNote
		if err := l.note(idOf("systemd_unit", nameOf(d)), &note); err != nil {
			return err
		}
		for name, on := range map[string][]Trigger{"restart_on": note.Started, "reload_on": note.Loaded} {
			if get(unitSchema, d.Args, name) != nil {
				set(unitSchema, args, name, triggerList(on))
			}
		}
		o := l.add(d, args, map[string]value.Value{"unit": nameOf(d)})
		if note.Stale && running {
			o.Unsettled, o.Stuck = "what it was to be started anew for, it was not", true
		}
	}
	return nil
}
