// Package aptrepo gives tests signed apt repositories. That of [Serve] has Docker's packages: docker-ce, docker-ce-cli and
// containerd.io under the names that Docker's own repository has, made of the programs that package testengine has built
// and those of Debian. The versions differ in name only: all of them say that they are 28.5.2. That of [Debian] has a few
// of Debian's packages, as they are.
package aptrepo

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// A Repo is a repository that hosts can reach.
type Repo struct {
	URL string
	Key string // the public key, in ASCII armour

	server *http.Server
	listen string
	files  http.Handler
}

// Serve makes a repository of Docker's packages, signed with a key of its own, at an address that a host reaches.
func Serve(tb testing.TB, h *testhost.Host) *Repo {
	tb.Helper()
	pool := docker(tb)
	channels := map[string]string{}
	for _, channel := range []string{"stable", "test"} {
		channels[channel] = read(tb, filepath.Join(pool, channel))
	}
	return serve(tb, h, pool,
		suite{origin: "Docker", name: "bookworm", components: channels}, suite{origin: "Docker", name: "trixie", components: channels})
}

// serve makes a repository of the packages in a folder.
func serve(tb testing.TB, h *testhost.Host, pool string, suites ...suite) *Repo {
	tb.Helper()
	signer := newKey(tb)
	dir := tb.TempDir()
	must(tb, os.Symlink(pool, filepath.Join(dir, "pool")))
	for _, s := range suites {
		s.write(tb, dir, signer)
	}
	r := &Repo{Key: public(tb, signer), files: http.FileServer(http.Dir(dir))}
	must(tb, os.WriteFile(filepath.Join(dir, "gpg"), []byte(r.Key), 0o644))
	l, err := net.Listen("tcp", net.JoinHostPort(addressFor(tb, h), "0"))
	must(tb, err)
	r.listen, r.URL = l.Addr().String(), "http://"+l.Addr().String()
	r.serve(l)
	tb.Cleanup(r.Down)
	Direct(h, l.Addr().(*net.TCPAddr).IP)
	return r
}

// Direct makes a host reach an address without the proxy that its apt may have.
func Direct(h *testhost.Host, ip net.IP) {
	h.Sh(fmt.Sprintf("echo 'Acquire::http::Proxy::%s \"DIRECT\";' >/etc/apt/apt.conf.d/99-test-%s", ip, ip))
}

func (r *Repo) serve(l net.Listener) {
	r.server = &http.Server{Handler: r.files, ReadHeaderTimeout: time.Minute}
	go r.server.Serve(l) // ends with Down
}

// Down stops serving: connections are refused.
func (r *Repo) Down() { r.server.Close() }

// Up serves again after Down.
func (r *Repo) Up(tb testing.TB) {
	tb.Helper()
	l, err := net.Listen("tcp", r.listen)
	must(tb, err)
	r.serve(l)
}

// addressFor is this computer's address on the way to a host.
func addressFor(tb testing.TB, h *testhost.Host) string {
	tb.Helper()
	c, err := net.Dial("udp", net.JoinHostPort(h.Address, "9"))
	must(tb, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String()
}

func newKey(tb testing.TB) *openpgp.Entity {
	tb.Helper()
	e, err := openpgp.NewEntity("Test repository", "", "test@example.com", keyConfig())
	must(tb, err)
	return e
}

func keyConfig() *packet.Config {
	// What apt verifies may not be from the future by the host's clock.
	return &packet.Config{RSABits: 3072, DefaultHash: crypto.SHA512, Time: func() time.Time { return time.Now().Add(-time.Hour) }}
}

// NewKey returns the public half of a key that signs nothing, in ASCII armour.
func NewKey(tb testing.TB) string { tb.Helper(); return public(tb, newKey(tb)) }

func public(tb testing.TB, e *openpgp.Entity) string {
	tb.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	must(tb, err)
	must(tb, e.Serialize(w))
	must(tb, w.Close())
	return b.String() + "\n"
}

// A suite is a part of a repository: the lists of packages of its components.
type suite struct {
	origin, name string
	components   map[string]string
}

// write writes the lists and signs them.
func (s suite) write(tb testing.TB, repo string, signer *openpgp.Entity) {
	tb.Helper()
	dir := filepath.Join(repo, "dists", s.name)
	release := fmt.Sprintf("Origin: %[1]s\nLabel: %[1]s\nSuite: %[2]s\nCodename: %[2]s\nArchitectures: amd64\nComponents: %[3]s\nDate: %[4]s\nSHA256:\n",
		s.origin, s.name, strings.Join(slices.Sorted(maps.Keys(s.components)), " "), time.Now().Add(-time.Hour).UTC().Format(time.RFC1123))
	for component, text := range s.components {
		name := component + "/binary-amd64/Packages"
		must(tb, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(tb, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		release += fmt.Sprintf(" %x %d %s\n", sha256.Sum256([]byte(text)), len(text), name)
	}
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, signer.PrivateKey, keyConfig())
	must(tb, err)
	_, err = w.Write([]byte(release))
	must(tb, err)
	must(tb, w.Close())
	must(tb, os.WriteFile(filepath.Join(dir, "InRelease"), b.Bytes(), 0o644))
}

// cached is a folder in the user's cache folder, which make fills where it is not there. Test processes that come at once
// wait for the first.
func cached(tb testing.TB, name, recipe string, fill func(dir string)) string {
	tb.Helper()
	base, err := os.UserCacheDir()
	must(tb, err)
	base = filepath.Join(base, "swarmscript-test")
	must(tb, os.MkdirAll(base, 0o755))
	dir := filepath.Join(base, fmt.Sprintf("%s-%x", name, sha256.Sum256([]byte(recipe)))[:30])
	lock := lock(tb, filepath.Join(base, name+".lock"))
	defer lock.Close()
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	part, err := os.MkdirTemp(base, "part-")
	must(tb, err)
	defer os.RemoveAll(part)
	must(tb, os.Chmod(part, 0o755))
	fill(part)
	must(tb, os.Rename(part, dir))
	return dir
}

func lock(tb testing.TB, path string) *os.File {
	tb.Helper()
	for {
		f, err := local.TryLock(path)
		must(tb, err)
		if f != nil {
			return f
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	text, err := os.ReadFile(path)
	must(tb, err)
	return string(text)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
