package debian

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The packages that there are: those of data/IMAGE.packages, which are Debian's own
// words about them, and Docker's. A package that is not among them cannot be
// installed.

//go:embed data/*.packages data/*.programs
var packageData embed.FS

// pkg is one version of a package.
type pkg struct {
	name, version, arch string
	priority            string
	essential           bool
	depends             [][]relation // each is satisfied by one of its own; Pre-Depends too
	recommends          [][]relation
	conflicts           []relation // and breaks
	provides            []relation
	suites              []string // where it is had: "bookworm-security"
	archive             string   // "debian", "debian-security", "docker"
	size                int      // in KiB, installed
	description         string
}

// relation is what one package says of another: a name, and which versions.
type relation struct{ name, op, version string }

func (r relation) String() string {
	if r.op == "" {
		return r.name
	}
	return fmt.Sprintf("%s (%s %s)", r.name, r.op, r.version)
}

// matches reports whether a version is one that is meant.
func (r relation) matches(version string) bool {
	if r.op == "" {
		return true
	}
	is, _ := compares(version, r.op, r.version)
	return is
}

// catalogue is what an image can have.
type catalogue struct {
	codename string
	packages map[string][]*pkg // by name; the newest version first
	base     []*pkg            // what the image has from the start
	provides map[string][]*pkg
	programs map[string][]string // the programs that a package has, by its name
}

// catalogues are read when an image is first asked for.
var catalogues = map[string]func() *catalogue{
	"debian-12": sync.OnceValue(func() *catalogue { return readCatalogue("debian-12", "bookworm") }),
	"debian-13": sync.OnceValue(func() *catalogue { return readCatalogue("debian-13", "trixie") }),
}

func readCatalogue(image, codename string) *catalogue {
	c := &catalogue{codename: codename, packages: map[string][]*pkg{}, provides: map[string][]*pkg{}, programs: map[string][]string{}}
	for _, st := range stanzas(dataFile(image + ".packages")) {
		c.addDebian(st)
	}
	for line := range strings.Lines(dataFile(image + ".programs")) {
		if w := strings.Fields(line); len(w) > 0 {
			c.programs[w[0]] = w[1:]
		}
	}
	for _, p := range dockerPackages(image, codename) {
		c.add(p)
	}
	for _, all := range c.packages {
		slices.SortStableFunc(all, func(a, b *pkg) int { return debianOrder(b.version, a.version) })
	}
	for _, name := range sortedKeys(c.packages) {
		for _, r := range c.packages[name][0].provides {
			c.provides[r.name] = append(c.provides[r.name], c.packages[name][0])
		}
	}
	return c
}

func dataFile(name string) string {
	text, err := packageData.ReadFile("data/" + name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}

func (c *catalogue) add(p *pkg) { c.packages[p.name] = append(c.packages[p.name], p) }

// addDebian adds a package of Debian's in each version that there is.
func (c *catalogue) addDebian(st stanza) {
	p := pkg{
		name: st.get("Package"), version: st.get("Version"), arch: st.get("Architecture"), priority: st.get("Priority"), essential: st.get("Essential") == "yes",
		depends:     append(relations(st.get("Pre-Depends")), relations(st.get("Depends"))...),
		recommends:  relations(st.get("Recommends")),
		conflicts:   slices.Concat(slices.Concat(relations(st.get("Conflicts"))...), slices.Concat(relations(st.get("Breaks"))...)),
		provides:    slices.Concat(relations(st.get("Provides"))...),
		archive:     "debian",
		description: st.get("Description"),
	}
	if p.priority == "" {
		p.priority = "optional"
	}
	p.size, _ = strconv.Atoi(st.get("Installed-Size"))
	has := false
	for _, at := range strings.Split(st.get("Suites"), ", ") {
		version, suite, _ := strings.Cut(at, " ")
		if version == "" {
			continue
		}
		if last := c.find(p.name, version); last != nil {
			last.suites = append(last.suites, suite)
			continue
		}
		q := p
		q.version, q.suites = version, []string{suite}
		if strings.HasSuffix(suite, "-security") {
			q.archive = "debian-security"
		}
		has = has || version == p.version
		c.add(&q)
	}
	if !has { // what the image has is older than what the archive has
		c.add(&p)
	}
	if st.get("Base") == "yes" {
		c.base = append(c.base, c.find(p.name, p.version))
	}
}

// find returns a version of a package, nil where there is none.
func (c *catalogue) find(name, version string) *pkg {
	for _, p := range c.packages[name] {
		if p.version == version {
			return p
		}
	}
	return nil
}

// relations reads a list of them: "a (>= 1) | b, c".
func relations(text string) (out [][]relation) {
	for _, group := range strings.Split(text, ",") {
		var any []relation
		for _, one := range strings.Split(group, "|") {
			if w := strings.Fields(strings.NewReplacer("(", " ", ")", " ").Replace(one)); len(w) > 0 {
				r := relation{name: w[0]}
				r.name, _, _ = strings.Cut(r.name, ":") // of an architecture: there is one
				if len(w) == 3 {
					r.op, r.version = w[1], w[2]
				}
				any = append(any, r)
			}
		}
		if len(any) > 0 {
			out = append(out, any)
		}
	}
	return out
}

// stanza is a paragraph of fields, in their order.
type stanza []field

type field struct{ name, value string }

func (s stanza) get(name string) string {
	for _, f := range s {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// stanzas reads paragraphs of fields; a line that begins with a blank goes on with the
// one before, and remarks are passed over.
func stanzas(text string) (out []stanza) {
	var st stanza
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
			if len(st) > 0 {
				out, st = append(out, st), nil
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if len(st) > 0 {
				st[len(st)-1].value += "\n" + line[1:]
			}
		default:
			name, value, _ := strings.Cut(line, ":")
			st = append(st, field{name, strings.TrimSpace(value)})
		}
	}
	return out
}

// dockerVersions are those of Docker's channels, the newest last, with what came with
// each.
var dockerVersions = []struct {
	engine, containerd, buildx, compose string
	test                                bool
}{
	{engine: "26.1.0", containerd: "1.6.31", buildx: "0.14.0", compose: "2.26.1"},
	{engine: "26.1.4", containerd: "1.6.33", buildx: "0.14.1", compose: "2.27.1"},
	{engine: "27.0.3", containerd: "1.7.18", buildx: "0.15.1", compose: "2.28.1"},
	{engine: "27.1.2", containerd: "1.7.20", buildx: "0.16.2", compose: "2.29.1"},
	{engine: "27.2.1", containerd: "1.7.22", buildx: "0.16.2", compose: "2.29.2"},
	{engine: "27.3.1", containerd: "1.7.23", buildx: "0.17.1", compose: "2.29.7"},
	{engine: "27.4.1", containerd: "1.7.24", buildx: "0.19.3", compose: "2.32.1"},
	{engine: "27.5.1", containerd: "1.7.25", buildx: "0.20.0", compose: "2.32.4"},
	{engine: "28.0.4", containerd: "1.7.26", buildx: "0.22.0", compose: "2.34.0"},
	{engine: "28.1.1", containerd: "1.7.27", buildx: "0.23.0", compose: "2.35.1"},
	{engine: "28.2.2", containerd: "1.7.27", buildx: "0.24.0", compose: "2.36.2"},
	{engine: "28.3.3", containerd: "1.7.27", buildx: "0.26.1", compose: "2.39.1"},
	{engine: "28.4.0", containerd: "1.7.27", buildx: "0.27.0", compose: "2.39.2"},
	{engine: "28.5.1", containerd: "1.7.28", buildx: "0.29.1", compose: "2.40.0"},
	{engine: "28.5.2", containerd: "1.7.29", buildx: "0.29.1", compose: "2.40.3"},
	{engine: "28.5.2~rc.1", containerd: "1.7.28", buildx: "0.29.1", compose: "2.40.3", test: true},
}

// dockerPackages are those of Docker's own repository.
func dockerPackages(image, codename string) (out []*pkg) {
	release := strings.TrimPrefix(image, "debian-")
	seen := map[string]bool{}
	for _, v := range dockerVersions {
		if codename == "trixie" && debianOrder(v.engine, "28") < 0 {
			continue // Docker has built none of these for it
		}
		channel := "stable"
		if v.test {
			channel = "test"
		}
		full := func(epoch, version string) string {
			return fmt.Sprintf("%s%s-1~debian.%s~%s", epoch, version, release, codename)
		}
		for _, p := range []*pkg{
			{name: "docker-ce", version: full("5:", v.engine), size: 108000, description: "Docker: the open-source application container engine",
				depends: relations("containerd.io (>= 1.6.24), docker-ce-cli, iptables, libseccomp2 (>= 2.3.0), libc6 (>= 2.34), libsystemd0"), recommends: relations("apparmor, ca-certificates, docker-ce-rootless-extras, git, libltdl7, pigz, procps, xz-utils"),
				conflicts: slices.Concat(relations("docker (<< 1.5~), docker-engine, docker.io, lxc-docker")...)},
			{name: "docker-ce-cli", version: full("5:", v.engine), size: 42000, description: "Docker CLI: the open-source application container engine", depends: relations("libc6 (>= 2.34)"),
				recommends: relations("docker-buildx-plugin, docker-compose-plugin"), conflicts: slices.Concat(relations("docker (<< 1.5~), docker-cli, docker.io, docker-engine, docker-engine-cs, lxc-docker, docker-buildx, docker-compose")...)},
			{name: "docker-ce-rootless-extras", version: full("5:", v.engine), size: 10500, description: "Rootless support for Docker.", depends: relations("dbus-user-session")},
			{name: "containerd.io", version: full("", v.containerd), size: 118000, description: "An open and reliable container runtime", depends: relations("libc6 (>= 2.34), libseccomp2 (>= 2.5.0)"),
				conflicts: slices.Concat(relations("containerd, runc")...), provides: slices.Concat(relations("containerd, runc")...)},
			{name: "docker-buildx-plugin", version: full("", v.buildx), size: 76000, description: "Docker Buildx plugin extends build capabilities with BuildKit.", conflicts: slices.Concat(relations("docker-buildx")...)},
			{name: "docker-compose-plugin", version: full("", v.compose), size: 68000, description: "Docker Compose (V2) plugin for the Docker CLI.", conflicts: slices.Concat(relations("docker-compose")...)},
		} {
			if p.arch, p.priority, p.archive, p.suites = "amd64", "optional", "docker", []string{channel}; !seen[p.name+p.version] {
				seen[p.name+p.version] = true
				out = append(out, p)
			}
		}
	}
	return out
}
