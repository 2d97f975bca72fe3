package host

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// UpgradesSpec is what a machine upgrades by itself.
type UpgradesSpec struct {
	Enabled         bool      `star:"enabled" default:"true" doc:"Whether it upgrades by itself, every day."`
	Blacklist       []string  `star:"blacklist,set" default:"docker,containerd,runc" doc:"Packages that are left alone, as beginnings of their names in the form of regular expressions. An upgrade of the engine stops the containers, so its packages are here unless told otherwise."`
	Origins         *[]string `star:"origins,set" doc:"What is upgraded from, as patterns: origin=Debian,codename=${distro_codename}-security. Left as it is if left out: the distribution's own."`
	AutomaticReboot bool      `star:"automatic_reboot" default:"false" doc:"Whether the machine starts again where an upgrade asks for it."`
	RebootTime      string    `star:"reboot_time" default:"now" doc:"When it does, as 02:30."`
	RemoveUnused    bool      `star:"remove_unused" default:"false" doc:"Whether packages are removed that were installed for others only and are not needed any more."`
}

// SchemaName implements [schema.Named].
func (*UpgradesSpec) SchemaName() (string, string) {
	return "unattended_upgrades", "What a machine of Debian or Ubuntu upgrades by itself, by the package unattended-upgrades, which must be installed: a file in /etc/apt/apt.conf.d, compared with what apt makes of all of its files. When it is no longer declared, the file goes."
}

var upgradesSchema = schema.Of(UpgradesSpec{})

// UpgradesKind is what a machine upgrades by itself.
var UpgradesKind = &resource.Kind{
	Name:      "unattended_upgrades",
	Schema:    upgradesSchema,
	Scope:     "host",
	Rank:      3,
	Keyless:   true,
	TakesOver: true,
	Single:    true,
	Check:     hiding(upgradesSchema, checkUpgrades),
	Ending:    asBefore,
	Needs:     needsPackages("unattended-upgrades"),
	Handler:   upgradesHandler{},
}

const upgradesFile = "/etc/apt/apt.conf.d/99swarmscript-unattended-upgrades"

var rebootTime = pattern.Of(`^(now|([01][0-9]|2[0-3]):[0-5][0-9])$`)

func checkUpgrades(args value.Struct) (ps schema.Problems) {
	if s, ok := text(upgradesSchema, args, "reboot_time"); ok && !rebootTime().MatchString(s) {
		ps = append(ps, &schema.Problem{Path: "reboot_time", Msg: fmt.Sprintf("got %q, want a time as 02:30, or now", s)})
	}
	for _, name := range []string{"blacklist", "origins"} {
		l, _ := value.Reveal(get(upgradesSchema, args, name)).(value.List)
		for i, e := range l {
			s, _ := value.Reveal(e).(string)
			if _, err := regexp.Compile(s); name == "blacklist" && err != nil || strings.ContainsAny(s, "\"\n;") {
				ps = append(ps, &schema.Problem{Path: fmt.Sprintf("%s[%d]", name, i), Msg: fmt.Sprintf("%q is not a pattern that apt's files can hold", s)})
			}
		}
	}
	return ps
}

// render is the file. Lists in apt's files add up, so they are emptied first.
func (s *UpgradesSpec) render() string {
	var b strings.Builder
	on := map[bool]string{true: "1", false: "0"}
	fmt.Fprintf(&b, "APT::Periodic::Update-Package-Lists %q;\nAPT::Periodic::Unattended-Upgrade %q;\n", on[s.Enabled], on[s.Enabled])
	list := func(name string, all []string) {
		fmt.Fprintf(&b, "#clear Unattended-Upgrade::%s;\nUnattended-Upgrade::%s {\n", name, name)
		for _, e := range all {
			fmt.Fprintf(&b, "  \"%s\";\n", e)
		}
		b.WriteString("};\n")
	}
	list("Package-Blacklist", s.Blacklist)
	if s.Origins != nil {
		b.WriteString("#clear Unattended-Upgrade::Allowed-Origins;\n")
		list("Origins-Pattern", *s.Origins)
	}
	fmt.Fprintf(&b, "Unattended-Upgrade::Automatic-Reboot \"%t\";\nUnattended-Upgrade::Automatic-Reboot-Time \"%s\";\nUnattended-Upgrade::Remove-Unused-Dependencies \"%t\";\n",
		s.AutomaticReboot, s.RebootTime, s.RemoveUnused)
	return b.String()
}

var upgradesSection = section{
	name: "upgrades", kinds: []string{"unattended_upgrades"},
	script: func([]*resource.Declaration) string {
		return "command -v unattended-upgrade >/dev/null && echo installed\napt-config dump Unattended-Upgrade APT::Periodic"
	},
	read: func(l *look, out []byte, decls []*resource.Declaration) error {
		spec, installed := parseUpgrades(out)
		if !installed {
			return nil
		}
		for _, d := range decls {
			l.add(d, upgradesSchema.Encode(spec), nil)
		}
		return nil
	},
}

// parseUpgrades reads what apt makes of all of its files: a line NAME "VALUE";
// each, an element of a list with :: after its name.
func parseUpgrades(out []byte) (spec *UpgradesSpec, installed bool) {
	spec = &UpgradesSpec{RebootTime: "now", Origins: &[]string{}}
	lists, upgrades := false, false
	for _, line := range lines(out) {
		name, quoted, _ := strings.Cut(line, " ")
		v := strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `";`)
		yes, _ := strconv.ParseBool(v)
		n, _ := strconv.Atoi(v)
		switch name {
		case "installed":
			installed = true
		case "APT::Periodic::Update-Package-Lists":
			lists = n > 0
		case "APT::Periodic::Unattended-Upgrade":
			upgrades = n > 0
		case "Unattended-Upgrade::Package-Blacklist::":
			spec.Blacklist = append(spec.Blacklist, v)
		case "Unattended-Upgrade::Origins-Pattern::":
			*spec.Origins = append(*spec.Origins, v)
		case "Unattended-Upgrade::Automatic-Reboot":
			spec.AutomaticReboot = yes
		case "Unattended-Upgrade::Automatic-Reboot-Time":
			spec.RebootTime = v
		case "Unattended-Upgrade::Remove-Unused-Dependencies":
			spec.RemoveUnused = yes
		}
	}
	spec.Enabled = lists && upgrades
	return spec, installed
}

// upgradesHandler writes the file.
type upgradesHandler struct{}

// Create implements [resource.Handler].
func (upgradesHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec UpgradesSpec
	if err := upgradesSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	_, err = c.write(ctx, r, change{
		name:  r.Address.Kind(),
		check: `command -v unattended-upgrade >/dev/null || fail "unattended-upgrades is not installed: declare package(\"unattended-upgrades\")"` + "\n",
		script: "P=" + upgradesFile + `
T=$(mktemp); trap 'rm -f "$T" "$P.new"' EXIT HUP INT TERM
cat >"$T"; chmod 644 "$T"
said=$(APT_CONFIG=$T apt-config dump 2>&1 >/dev/null) || fail "apt does not take this: $said"
cp -- "$T" "$P.new"; sync "$P.new"; mv -fT -- "$P.new" "$P"
`, data: []byte(spec.render()),
	})
	if err != nil {
		return nil, err
	}
	return c.made(r, r.Address.Kind(), nil), nil
}

// Update implements [resource.Handler].
func (h upgradesHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler].
func (upgradesHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.drop(ctx, r, "rm -f "+upgradesFile)
}
