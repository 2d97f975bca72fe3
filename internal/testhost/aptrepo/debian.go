package aptrepo

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testhost"
)

// debians are the packages that tests install, by image. What they depend on comes with them.
var debians = map[string]string{
	"debian-12": "bc cpp dc docker.io ed fail2ban gawk python3-systemd tree ufw unattended-upgrades",
	"debian-13": "bc cpp dc docker.io docker-cli ed fail2ban gawk python3-systemd tree ufw unattended-upgrades",
}

// Debian makes a host's apt read a repository in place of Debian's: it has the packages of Debian's that tests install,
// as they are, and no others. Each apt-get takes a second of a processor less than it does with lists of 60,000
// packages, and fetches nothing from afar.
func Debian(tb testing.TB, h *testhost.Host) {
	tb.Helper()
	pool := debian(tb, h)
	_, codename, _ := strings.Cut(h.Run("grep", "^VERSION_CODENAME=", "/etc/os-release"), "=")
	packages := read(tb, filepath.Join(pool, "Packages"))
	r := serve(tb, h, pool, suite{origin: "Debian", name: codename, components: map[string]string{"main": packages}})
	h.Sh(fmt.Sprintf(`mkdir -p /etc/apt/keyrings
cat >/etc/apt/keyrings/debian-test.asc <<'EOF'
%sEOF
cat >/etc/apt/sources.list.d/debian.sources <<'EOF'
Types: deb
URIs: %s
Suites: %s
Components: main
Signed-By: /etc/apt/keyrings/debian-test.asc
EOF`, r.Key, r.URL, codename))
}

// debian is a folder with the packages for the hosts of an image, and their list. They are fetched once, by a host that
// reads Debian's own.
func debian(tb testing.TB, h *testhost.Host) string {
	tb.Helper()
	return cached(tb, h.Image, debians[h.Image]+filepath.Base(h.Base), func(dir string) {
		from := testhost.Start(tb, h.Image)
		from.Sh("apt-get -q -y update && apt-get -q -y --no-install-recommends --download-only install " + debians[h.Image])
		var list strings.Builder
		for r := tar.NewReader(strings.NewReader(from.Sh("cd /var/cache/apt/archives && tar -c *.deb"))); ; {
			head, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(tb, err)
			deb, err := io.ReadAll(r)
			must(tb, err)
			// The colon of a version, which apt writes so, would be quoted anew on its way through a URL.
			file := filepath.Join(dir, strings.ReplaceAll(head.Name, "%3a", "-"))
			must(tb, os.WriteFile(file, deb, 0o644))
			list.WriteString(entry(tb, dpkg(tb, "--field", file), file))
		}
		must(tb, os.WriteFile(filepath.Join(dir, "Packages"), []byte(list.String()), 0o644))
	})
}
