package debian

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// What dpkg knows is the file that the real one has: a paragraph for each package,
// with no more in it than can change. The rest is what the catalogue says.
const (
	dpkgStatus = "/var/lib/dpkg/status"
	dpkgInfo   = "/var/lib/dpkg/info"
	dpkgLock   = "/var/lib/dpkg/lock"
	dpkgFront  = "/var/lib/dpkg/lock-frontend"
)

// installed is a package as dpkg knows it.
type installed struct {
	name, version, arch string
	want                string // install, hold, deinstall, purge
	state               string // installed, config-files, not-installed
}

func (i *installed) is() bool { return i != nil && i.state == "installed" }

func (i *installed) held() bool { return i != nil && i.want == "hold" }

// dpkg is what a machine's dpkg knows.
type dpkg struct {
	sys *System
	cat *catalogue
	all map[string]*installed
}

// openDpkg reads what dpkg knows.
func (s *System) openDpkg() (*dpkg, error) {
	text, err := s.fs.Root().ReadFile(dpkgStatus)
	if err != nil {
		return nil, err
	}
	d := &dpkg{sys: s, cat: catalogues[s.cfg.Image](), all: map[string]*installed{}}
	for _, st := range stanzas(string(text)) {
		w := strings.Fields(st.get("Status"))
		if len(w) != 3 {
			return nil, fmt.Errorf("parsing file '%s': the package %q has no status", dpkgStatus, st.get("Package"))
		}
		d.all[st.get("Package")] = &installed{st.get("Package"), st.get("Version"), st.get("Architecture"), w[0], w[2]}
	}
	return d, nil
}

// baseStatus is what dpkg knows on a machine that is new.
func baseStatus(image string) []byte {
	cat := catalogues[image]()
	d := &dpkg{cat: cat, all: map[string]*installed{}}
	for _, p := range cat.base {
		d.all[p.name] = &installed{p.name, p.version, p.arch, "install", "installed"}
	}
	return d.text()
}

func (d *dpkg) text() []byte {
	var b strings.Builder
	for _, name := range sortedKeys(d.all) {
		i := d.all[name]
		fmt.Fprintf(&b, "Package: %s\nStatus: %s ok %s\nArchitecture: %s\nVersion: %s\n\n", i.name, i.want, i.state, i.arch, i.version)
	}
	return []byte(b.String())
}

// save writes what dpkg knows.
func (d *dpkg) save() error {
	root := d.sys.fs.Root()
	if err := root.WriteFile(dpkgStatus+"-new", d.text(), 0o644); err != nil {
		return err
	}
	return root.Rename(dpkgStatus+"-new", dpkgStatus)
}

// info is what the catalogue says of what is installed, nil where it has no such version.
func (d *dpkg) info(name string) *pkg {
	i := d.all[name]
	if i == nil {
		return nil
	}
	return d.cat.find(name, i.version)
}

// isInstalled returns the version of a package that is.
func (s *System) isInstalled(name string) (version string, ok bool) {
	d, err := s.openDpkg()
	if err != nil || !d.all[name].is() {
		return "", false
	}
	return d.all[name].version, true
}

// files are those that a package has brought.
func (d *dpkg) files(name string) []string {
	text, err := d.sys.fs.Root().ReadFile(dpkgInfo + "/" + name + ".list")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// field is one of a package's, as dpkg-query's format names it.
func (d *dpkg) field(i *installed, name string) string {
	p := d.info(i.name)
	if p == nil {
		p = &pkg{}
	}
	switch name {
	case "Package", "binary:Package":
		return i.name
	case "Version":
		return i.version
	case "Architecture":
		return i.arch
	case "Status":
		return i.want + " ok " + i.state
	case "db:Status-Want":
		return i.want
	case "db:Status-Status":
		return i.state
	case "db:Status-Eflag":
		return "ok"
	case "db:Status-Abbrev":
		return i.abbrev() + " "
	case "Priority":
		return p.priority
	case "Installed-Size":
		return fmt.Sprint(p.size)
	case "Description", "binary:Summary":
		return p.description
	case "Depends":
		return joinRelations(p.depends)
	case "Recommends":
		return joinRelations(p.recommends)
	case "Essential":
		if p.essential {
			return "yes"
		}
	}
	return ""
}

func joinRelations(groups [][]relation) string {
	var all []string
	for _, g := range groups {
		var any []string
		for _, r := range g {
			any = append(any, r.String())
		}
		all = append(all, strings.Join(any, " | "))
	}
	return strings.Join(all, ", ")
}

// abbrev is a package's state in two letters.
func (i *installed) abbrev() string {
	letter := map[string]string{"installed": "i", "config-files": "c", "not-installed": "n"}
	want := map[string]string{"install": "i", "hold": "h", "deinstall": "r", "purge": "p", "unknown": "u"}
	return want[i.want] + letter[i.state]
}

// matching returns the packages that names and patterns mean, and those names that
// mean none.
func (d *dpkg) matching(names []string) (found []*installed, missing []string) {
	seen := map[string]bool{}
	for _, pattern := range names {
		pattern, _, _ = strings.Cut(pattern, ":")
		any := false
		for _, name := range sortedKeys(d.all) {
			if ok, _ := path.Match(pattern, name); ok {
				any = true
				if !seen[name] {
					seen[name] = true
					found = append(found, d.all[name])
				}
			}
		}
		if !any {
			missing = append(missing, pattern)
		}
	}
	slices.SortFunc(found, func(a, b *installed) int { return strings.Compare(a.name, b.name) })
	return found, missing
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
