package host

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

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
}

// SchemaName implements [schema.Named].
func (*UnitSpec) SchemaName() (string, string) {
	return "systemd_unit", "A unit of systemd. lifecycle(replace_on = [...]) starts it anew when those values change. When it is no longer declared, one that we made is stopped and removed; of another, its file, and whether it is enabled and runs, are what they were before us."
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
	Ending:  staysAsItWas,
	Handler: unitHandler{},
}

// unitName is what systemd takes; a template's instance has an @ in it.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]+\.(service|socket|timer|path|mount|automount|swap|target|slice)$`)

func checkUnit(args value.Struct) (ps schema.Problems) {
	name, ok := text(unitSchema, args, "name")
	if ok && !unitName.MatchString(name) {
		p := &schema.Problem{Path: "name", Msg: fmt.Sprintf("got %q, want the name of a unit with its type", name)}
		if unitName.MatchString(name + ".service") {
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
	for _, c := range changes {
		switch c.Field.Name {
		case "running":
			if b, _ := c.After.(bool); b {
				return "started"
			}
			return resource.Interrupted + ": stopped"
		case "content":
			restart = true
		}
	}
	if restart && was {
		return resource.Interrupted + " for a moment: started anew"
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
		l.add(d, args, map[string]value.Value{"unit": nameOf(d)})
	}
	return nil
}
