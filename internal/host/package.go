package host

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// PackageSpec is a package of Debian or Ubuntu.
type PackageSpec struct {
	Name       string  `star:"name,required,pos,local" doc:"Its name."`
	Version    *string `star:"version" doc:"Its version, as 1.22.1-9, or a pattern such as 1.22*, of which the newest is installed. Any version will do if left out."`
	Hold       *bool   `star:"hold" doc:"Whether upgrades leave it alone (apt-mark hold); left as it is if left out."`
	Installed  bool    `star:"installed" default:"true" doc:"False: it is removed. A removal that would take more packages with it is refused."`
	Recommends bool    `star:"recommends,local" default:"true" doc:"Whether what it recommends is installed with it."`
	Purge      bool    `star:"purge,local" default:"false" doc:"Whether its configuration goes too when it is removed."`
}

// SchemaName implements [schema.Named].
func (*PackageSpec) SchemaName() (string, string) {
	return "package", "A package of Debian or Ubuntu, by apt. Packages carry no marks: one that is no longer declared is forgotten, not removed. Those of a machine that can be installed at the same time are, in one run of apt-get; configuration files that were changed are kept, and an installation that would remove a package is refused."
}

var packageSchema = schema.Of(PackageSpec{})

// PackageKind is a package of a machine.
var PackageKind = &resource.Kind{
	Name:     "package",
	Schema:   packageSchema,
	Scope:    "host",
	Rank:     2,
	Unmarked: true,
	Keyless:  true,
	Out: []resource.Output{
		{Name: "version", Type: "string", Doc: "The version that is installed."},
	},
	Check:   hiding(packageSchema, checkPackage),
	Handler: packageHandler{},
}

// packageName is Debian's rule, with an architecture after it.
var packageName = pattern.Of(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?$`)

// versionPattern is what a version may hold, with the wildcards of a shell.
var versionPattern = pattern.Of(`^[A-Za-z0-9.+~:*?\[\]-]+$`)

func checkPackage(args value.Struct) (ps schema.Problems) {
	if s, ok := text(packageSchema, args, "name"); ok && !packageName().MatchString(s) {
		ps = append(ps, &schema.Problem{Path: "name", Msg: fmt.Sprintf("got %q, want the name of a package: small letters, digits, '+', '-' and '.'", s)})
	}
	v, given := text(packageSchema, args, "version")
	if given {
		if _, err := path.Match(v, ""); err != nil || !versionPattern().MatchString(v) {
			ps = append(ps, &schema.Problem{Path: "version", Msg: fmt.Sprintf("got %q, want a version or a pattern such as 1.22*", v)})
		}
	}
	if in, ok := get(packageSchema, args, "installed").(bool); ok && !in {
		for _, name := range []string{"version", "hold"} {
			if get(packageSchema, args, name) != nil {
				ps = append(ps, &schema.Problem{Path: name, Msg: "says nothing of a package that is not to be installed"})
			}
		}
	}
	return ps
}

// packageSection looks at the declared packages.
var packageSection = section{
	name: "packages", kinds: []string{"package"},
	script: func(decls []*resource.Declaration) string {
		var names []string
		for _, d := range decls {
			names = append(names, nameOf(d))
		}
		return packageQuery(names)
	},
	read: readPackages,
}

// packageQuery prints what dpkg knows of packages: NAME|ARCH|WANT|STATUS|VERSION.
func packageQuery(names []string) string {
	return `command -v dpkg-query >/dev/null || echo none
dpkg-query -W -f '${Package}|${Architecture}|${db:Status-Want}|${db:Status-Status}|${Version}\n' -- ` + quoteAll(names) + " || true"
}

// pkg is a package as dpkg knows it.
type pkg struct {
	version   string
	installed bool
	held      bool
}

func parsePackages(out []byte) (map[string]pkg, error) {
	all := map[string]pkg{}
	for _, line := range lines(out) {
		if line == "none" {
			return nil, fmt.Errorf("the machine has no dpkg: package needs Debian, Ubuntu or a system made from them")
		}
		w := strings.Split(line, "|")
		if len(w) == 5 && w[3] == "not-installed" {
			continue // known by name only
		}
		if len(w) != 5 {
			return nil, fmt.Errorf("the machine's answer about packages is damaged: %.80q", line)
		}
		p := pkg{version: w[4], held: w[2] == "hold"}
		p.installed = w[3] == "installed" || strings.HasPrefix(w[3], "triggers-")
		all[w[0]+":"+w[1]] = p
		if was, ok := all[w[0]]; !ok || !was.installed {
			all[w[0]] = p
		}
	}
	return all, nil
}

func readPackages(l *look, out []byte, decls []*resource.Declaration) error {
	all, err := parsePackages(out)
	if err != nil {
		return err
	}
	for _, d := range decls {
		p := all[nameOf(d)]
		wanted, _ := value.Reveal(get(packageSchema, d.Args, "installed")).(bool)
		if wanted = wanted || get(packageSchema, d.Args, "installed") == nil; p.installed || !wanted {
			l.add(d, p.args(d.Args), p.out())
		}
	}
	return nil
}

func (p pkg) out() map[string]value.Value { return map[string]value.Value{"version": p.version} }

// args is a package in normal form, beside what is declared of it: a version
// that a pattern covers is the pattern.
func (p pkg) args(declared value.Struct) value.Struct {
	args := packageSchema.Encode(&PackageSpec{Installed: p.installed, Hold: &p.held, Version: &p.version})
	set(packageSchema, args, "name", get(packageSchema, declared, "name"))
	if want, ok := text(packageSchema, declared, "version"); ok && matches(want, p.version) {
		set(packageSchema, args, "version", want)
	}
	return args
}

// matches reports whether a version is the one, or one of those, that a pattern
// means.
func matches(pattern, version string) bool {
	ok, err := path.Match(pattern, version)
	return err == nil && ok
}

// packageHandler installs and removes packages.
type packageHandler struct{}

// Create implements [resource.Handler].
func (packageHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := connOf(rc)
	if err != nil {
		return nil, err
	}
	var spec PackageSpec
	if err := packageSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	j := newAptJob(spec, r)
	if err := c.apt.do(ctx, j); err != nil {
		return nil, err
	}
	o := c.made(r, j.spec.Name, j.is.out())
	o.Args = j.is.args(r.Args)
	return o, nil
}

// Update implements [resource.Handler].
func (h packageHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	return h.Create(ctx, c, r)
}

// Delete implements [resource.Handler]. It is asked for by --replace only.
func (packageHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	return c.apt.do(ctx, newAptJob(PackageSpec{Name: r.Live.Name}, r))
}
