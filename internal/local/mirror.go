package local

import (
	"context"
	"strings"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// mirrors are where a base gets its packages from.
type mirrors struct {
	Main, Security string
	// Settings are lines of apt.conf: what the computer says of proxies and of the
	// age of what a mirror has.
	Settings []string
}

var publicMirrors = mirrors{Main: "http://deb.debian.org/debian", Security: "http://deb.debian.org/debian-security"}

// debianSuite matches the suites of Debian; other systems that use apt call
// theirs otherwise.
var debianSuite = pattern.Of(`^(stable|oldstable|testing|sid|unstable|bullseye|bookworm|trixie|forky|duke)(-updates|-backports|-security)?$`)

// keptSettings are the settings of the computer's apt that a machine needs too.
var keptSettings = pattern.Of(`^Acquire::(Check-Valid-Until|Check-Date|https?::Proxy) "[^"]*";$`)

// computersMirrors are the mirrors for the site's machines. The computer's apt is asked
// once: where it keeps no cache, each answer takes a second of a processor.
func (s *Site) computersMirrors(ctx context.Context) mirrors {
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.mirrors != nil {
		return *s.mirrors
	}
	m := computersMirrors(ctx)
	if ctx.Err() == nil {
		s.mirrors = &m
	}
	return m
}

// computersMirrors returns the mirrors that the computer's own apt uses, and
// Debian's where it has none.
func computersMirrors(ctx context.Context) mirrors {
	targets, err := run(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages")
	if err != nil {
		return publicMirrors // no apt here
	}
	settings, err := run(ctx, "apt-config", "dump", "Acquire")
	if err != nil {
		settings = ""
	}
	return readMirrors(targets, settings)
}

// readMirrors reads lines of a repository's address and its suite, and apt's
// settings. The address may hold a password, which stays out of machines.
func readMirrors(targets, settings string) mirrors {
	m := mirrors{}
	for _, line := range strings.Split(targets, "\n") {
		uri, suite, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !debianSuite().MatchString(suite) || !strings.HasPrefix(uri, "http") || strings.Contains(uri, "@") {
			continue
		}
		uri = strings.TrimSuffix(uri, "/")
		switch {
		case strings.HasSuffix(suite, "-security"):
			if m.Security == "" {
				m.Security = uri
			}
		case m.Main == "":
			m.Main = uri
		}
	}
	if m.Main == "" {
		m.Main = publicMirrors.Main
	}
	if m.Security == "" {
		m.Security = publicMirrors.Security
	}
	for _, line := range strings.Split(settings, "\n") {
		if keptSettings().MatchString(line) && !strings.Contains(line, "@") {
			m.Settings = append(m.Settings, line)
		}
	}
	return m
}

// sources is the machine's list of repositories, in apt's format.
func (m mirrors) sources(suite string) string {
	const keyring = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
	return "Types: deb\nURIs: " + m.Main + "\nSuites: " + suite + " " + suite + "-updates\nComponents: main\n" + keyring +
		"\nTypes: deb\nURIs: " + m.Security + "\nSuites: " + suite + "-security\nComponents: main\n" + keyring
}
