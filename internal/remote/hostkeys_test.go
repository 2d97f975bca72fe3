package remote

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"
)

// Which names a line of known_hosts is about: OpenSSH's own tool says the same.
// (The library of golang.org/x does not: "web*" is not web for it, one line that
// it cannot read makes it refuse a file, and it takes an authority's key for a
// host's.)
func FuzzKnownHosts(f *testing.F) {
	_, _, line := newKey(f)
	file := filepath.Join(f.TempDir(), "known_hosts")
	for _, hosts := range []string{"web", "web,db", "*.example.com,!db.example.com", "[web]:2222", "w?b", "|1|x|y", "!web", "**b*", "web*", "WEB", "",
		knownhosts.HashHostname("web"), knownhosts.HashHostname("[web]:2222")} {
		f.Add(hosts, "web")
		f.Add(hosts, "[web]:2222")
		f.Add(hosts, "db.example.com")
	}
	f.Fuzz(func(t *testing.T, hosts, host string) {
		if strings.ContainsAny(hosts, " \t\r\n#@\"\\\x00") || !plain(host) || len(hosts) > 500 {
			t.Skip() // what nobody writes there
		}
		text := hosts + " " + line + "\n"
		known, _ := parseKnown([]byte(text), host)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("/usr/bin/ssh-keygen", "-F", host, "-f", file).CombinedOutput()
		if found := strings.Contains(string(out), "found: line 1"); found != (len(known) > 0) {
			t.Errorf("%q and %q: we say %t, ssh-keygen %q", hosts, host, len(known) > 0, out)
		}
	})
}

// plain reports whether a text may be a host's name.
func plain(host string) bool {
	if strings.HasPrefix(host, "-") {
		return false
	}
	return host == "[web]:2222" || host != "" && !strings.ContainsFunc(host, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '-')
	})
}

// A file of known hosts may hold anything.
func FuzzKnownHostsFile(f *testing.F) {
	_, _, line := newKey(f)
	f.Add([]byte("web " + line + "\n@cert-authority * " + line + "\n@revoked x " + line))
	f.Add([]byte("|1|"))
	f.Fuzz(func(t *testing.T, text []byte) {
		known, revoked := parseKnown(text, "web")
		for _, k := range append(known, revoked...) {
			if k.key == nil || k.line < 1 {
				t.Errorf("got %+v", k)
			}
		}
	})
}

// No pattern is slow.
func TestWildcard(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"", "", true}, {"", "a", false}, {"?", "", false}, {"a*c", "abbbc", true}, {"a*c", "abbbd", false},
		{"*a*b*", "xxaxxbxx", true}, {"a?c", "abc", true}, {"*.example.com", "example.com", false},
		{strings.Repeat("*a", 40) + "b", strings.Repeat("a", 10_000), false},
	} {
		if got := wildcard(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q, %q: %t", tt.pattern, tt.text, got)
		}
	}
}
