package debian

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// The archives that are simulated are Debian's and Docker's. A source of packages that
// is another's is one that cannot be fetched.

const (
	aptListsDir = "/var/lib/apt/lists"
	sourcesList = "/etc/apt/sources.list"
	sourceParts = "/etc/apt/sources.list.d"
	// dockerSigner is the fingerprint of the key that Docker signs with.
	dockerSigner = "9dc858229fc7dd38854ae2d88d81803c0ebfcd88"
	dockerSubkey = "7EA0A9C3F273FCD8"
)

// source is one suite of an archive, as a file of sources names it.
type source struct {
	uri, suite string
	components []string
	signedBy   string
	archive    string // "debian", "debian-security", "docker"; "" for others
}

// release is the file of the suite's description, and index that of a component, as
// apt names them below its folder of lists.
func (s source) release() string { return s.file() + "_InRelease" }

func (s source) index(component string) string {
	return s.file() + "_" + component + "_binary-amd64_Packages"
}

func (s source) file() string {
	_, rest, _ := strings.Cut(strings.TrimSuffix(s.uri, "/"), "://")
	return strings.ReplaceAll(rest, "/", "_") + "_dists_" + strings.ReplaceAll(s.suite, "/", "_")
}

func (s source) String() string { return strings.TrimSuffix(s.uri, "/") + " " + s.suite }

// archiveOf says whose archive an address is.
func archiveOf(uri string) string {
	u, err := url.Parse(strings.TrimSuffix(uri, "/"))
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch {
	case host == "download.docker.com" && u.Path == "/linux/debian":
		return "docker"
	case host != "debian.org" && !strings.HasSuffix(host, ".debian.org"):
		return ""
	case u.Path == "/debian":
		return "debian"
	case u.Path == "/debian-security":
		return "debian-security"
	}
	return ""
}

// readSources reads the sources of a machine. List and parts are where they are; "-"
// for parts means that there are none.
func (s *System) readSources(list, parts string) ([]source, error) {
	root := s.fs.Root()
	files := []string{list}
	if parts != "-" {
		entries, _ := root.ReadDir(parts)
		for _, e := range entries {
			if strings.HasSuffix(e.Name, ".list") || strings.HasSuffix(e.Name, ".sources") {
				files = append(files, path.Join(parts, e.Name))
			}
		}
	}
	var all []source
	for _, file := range files {
		text, err := root.ReadFile(file)
		if err != nil {
			continue
		}
		read := oneLineSources
		if strings.HasSuffix(file, ".sources") {
			read = deb822Sources
		}
		got, err := read(string(text), file)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
	}
	for i := range all {
		all[i].archive = archiveOf(all[i].uri)
		for _, other := range all[:i] {
			if other.String() == all[i].String() && other.signedBy != all[i].signedBy {
				return nil, saysf("Conflicting values set for option Signed-By regarding source %s/ %s: %s != %s",
					strings.TrimSuffix(other.uri, "/"), other.suite, other.signedBy, all[i].signedBy)
			}
		}
	}
	return all, nil
}

func deb822Sources(text, file string) (out []source, err error) {
	for n, st := range stanzas(text) {
		if strings.EqualFold(st.get("Enabled"), "no") || !slices.Contains(strings.Fields(st.get("Types")), "deb") {
			continue
		}
		if st.get("URIs") == "" || st.get("Suites") == "" {
			return nil, saysf("Malformed entry %d in sources file %s (Suite)", n+1, file)
		}
		for _, uri := range strings.Fields(st.get("URIs")) {
			for _, suite := range strings.Fields(st.get("Suites")) {
				out = append(out, source{uri: uri, suite: suite, components: strings.Fields(st.get("Components")), signedBy: strings.TrimSpace(st.get("Signed-By"))})
			}
		}
	}
	return out, nil
}

// oneLineSources reads lines of "deb [option=value] URI SUITE COMPONENT...".
func oneLineSources(text, file string) (out []source, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		var s source
		if before, after, ok := strings.Cut(line, "["); ok {
			options, after, _ := strings.Cut(after, "]")
			for _, o := range strings.Fields(options) {
				if k, v, _ := strings.Cut(o, "="); strings.EqualFold(k, "signed-by") {
					s.signedBy = v
				}
			}
			line = before + " " + after
		}
		w := strings.Fields(line)
		if len(w) == 0 || w[0] == "deb-src" {
			continue
		}
		if w[0] != "deb" || len(w) < 3 {
			return nil, saysf("Malformed entry %d in list file %s (Suite)", n, file)
		}
		s.uri, s.suite, s.components = w[1], w[2], w[3:]
		out = append(out, s)
	}
	return out, nil
}

// fetch says why a source cannot be fetched, "" where it can.
func (s *System) fetch(src source) (problem string, unsigned bool) {
	codename := catalogues[s.cfg.Image]().codename
	suites := []string{codename}
	switch src.archive {
	case "":
		return "swarmscript lab: not simulated: a repository that is neither Debian's nor Docker's", false
	case "debian":
		suites = append(suites, codename+"-updates", codename+"-backports")
	case "debian-security":
		suites = []string{codename + "-security"}
	case "docker":
		if !s.hasDockerKey(src.signedBy) {
			return "The following signatures couldn't be verified because the public key is not available: NO_PUBKEY " + dockerSubkey, true
		}
	}
	if !slices.Contains(suites, src.suite) {
		return "404  Not Found (swarmscript lab: of this archive, " + strings.Join(suites, ", ") + " is simulated)", false
	}
	return "", false
}

// hasDockerKey reports whether Docker's key is the one that a source names, or among
// those that apt takes for any.
func (s *System) hasDockerKey(signedBy string) bool {
	root := s.fs.Root()
	if strings.HasPrefix(signedBy, "-----BEGIN") {
		return isDockerKey([]byte(strings.ReplaceAll(signedBy, "\n.\n", "\n\n")))
	}
	files := strings.FieldsFunc(signedBy, func(r rune) bool { return r == ',' || r == ' ' })
	if len(files) == 0 {
		entries, _ := root.ReadDir("/etc/apt/trusted.gpg.d")
		for _, e := range entries {
			files = append(files, "/etc/apt/trusted.gpg.d/"+e.Name)
		}
	}
	return slices.ContainsFunc(files, func(f string) bool {
		text, err := root.ReadFile(f)
		return err == nil && isDockerKey(text)
	})
}

func isDockerKey(text []byte) bool {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	if err != nil {
		ring, err = openpgp.ReadKeyRing(bytes.NewReader(text))
	}
	return err == nil && slices.ContainsFunc(ring, func(e *openpgp.Entity) bool {
		return hex.EncodeToString(e.PrimaryKey.Fingerprint) == dockerSigner
	})
}

// aptLists is what the lists have that were fetched.
type aptLists struct {
	cat *catalogue
	has []source
}

// openLists reads which lists were fetched.
func (s *System) openLists() (*aptLists, error) {
	all, err := s.readSources(sourcesList, sourceParts)
	if err != nil {
		return nil, err
	}
	root := s.fs.Root()
	l := &aptLists{cat: catalogues[s.cfg.Image]()}
	for _, src := range all {
		src.components = slices.DeleteFunc(slices.Clone(src.components), func(c string) bool { return !root.Exists(aptListsDir + "/" + src.index(c)) })
		if len(src.components) > 0 && src.archive != "" {
			l.has = append(l.has, src)
		}
	}
	return l, nil
}

// where are the sources that have a version of a package, as apt-cache shows them.
func (l *aptLists) where(p *pkg) (out []string, uri string) {
	for _, src := range l.has {
		for _, component := range src.components {
			if p.in(src, component) {
				out = append(out, fmt.Sprintf("%s %s/%s amd64 Packages", strings.TrimSuffix(src.uri, "/"), src.suite, component))
				if uri == "" {
					uri = strings.TrimSuffix(src.uri, "/") + " " + src.suite + "/" + component
				}
			}
		}
	}
	return out, uri
}

// in reports whether a package is in a component of a source.
func (p *pkg) in(src source, component string) bool {
	switch src.archive {
	case "docker":
		// The test channel has all that the stable one has.
		return p.archive == "docker" && (slices.Contains(p.suites, component) || component == "test")
	case "debian", "debian-security":
		return p.archive != "docker" && component == "main" && slices.Contains(p.suites, src.suite)
	}
	return false
}

// versions are those of a package that the lists have, the newest first.
func (l *aptLists) versions(name string) []*pkg {
	var out []*pkg
	for _, p := range l.cat.packages[name] {
		if where, _ := l.where(p); len(where) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// candidate is the version that is installed unless another one is asked for.
func (l *aptLists) candidate(name string) *pkg {
	if all := l.versions(name); len(all) > 0 {
		return all[0]
	}
	return nil
}
