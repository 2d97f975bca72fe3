package host

import (
	"fmt"
	"slices"
	"strings"
)

// flavour is where an engine's packages come from.
type flavour struct {
	engine   string   // the package of dockerd
	same     []string // packages that have the engine's version
	parts    []string // packages that are installed with it
	optional []string // those that are, where there are any
}

// flavours are the values of the argument source.
var flavours = map[string]flavour{
	"docker": {
		engine: "docker-ce", same: []string{"docker-ce-cli"}, parts: []string{"containerd.io"},
		optional: []string{"docker-buildx-plugin", "docker-compose-plugin"},
	},
	"distribution": {
		engine: "docker.io",
		// Where the CLI is a package of its own, and what else docker.io brings.
		optional: []string{"docker-cli", "containerd", "runc"},
	},
}

// all are the packages of a flavour.
func (f flavour) all() []string {
	return slices.Concat([]string{f.engine}, f.same, f.parts, f.optional)
}

// dockerPackages are those of both, and what may be removed when one takes the
// other's place.
var dockerPackages = slices.Concat(flavours["docker"].all(), flavours["distribution"].all())

// upstream is the engine's own version within a package's: 28.5.2 of
// 5:28.5.2-1~debian.12~bookworm, 20.10.24 of 20.10.24+dfsg1-1+deb12u1.
func upstream(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	if i := strings.IndexAny(version, "+-"); i >= 0 {
		version = version[:i]
	}
	return version
}

// satisfies reports whether a package's version is one that an argument means:
// the same, or one that it begins.
func satisfies(wanted, version string) bool {
	if wanted == "" || wanted == version {
		return true
	}
	rest, ok := strings.CutPrefix(upstream(version), wanted)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '~')
}

// chooseVersion returns the first of the versions, which apt lists with the
// newest first, that is wanted.
func chooseVersion(pkg, wanted string, versions []string) (string, error) {
	for _, v := range versions {
		if satisfies(wanted, v) {
			return v, nil
		}
	}
	if len(versions) == 0 {
		return "", &failure{fmt.Sprintf("no source of the machine has the package %s", pkg)}
	}
	const most = 10
	var there []string
	for _, v := range versions {
		if u := upstream(v); !slices.Contains(there, u) {
			there = append(there, u)
		}
	}
	more := ""
	if len(there) > most {
		there, more = there[:most], fmt.Sprintf(" and %d more", len(there)-most)
	}
	return "", &failure{fmt.Sprintf("there is no %s %s; there is %s%s", pkg, wanted, strings.Join(there, ", "), more)}
}

// parseMadison reads what apt-cache madison prints: NAME | VERSION | SOURCE.
func parseMadison(out []byte) map[string][]string {
	all := map[string][]string{}
	for _, line := range lines(out) {
		w := strings.Split(line, "|")
		if len(w) < 2 {
			continue
		}
		name, version := strings.TrimSpace(w[0]), strings.TrimSpace(w[1])
		if name != "" && version != "" && !slices.Contains(all[name], version) {
			all[name] = append(all[name], version)
		}
	}
	return all
}
