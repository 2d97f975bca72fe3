// Package aptrepo gives tests a signed apt repository with Docker's packages: docker-ce, docker-ce-cli and containerd.io
// under the names that Docker's own repository has, made of the programs that package testengine has built and those of
// Debian. The versions differ in name only: all of them say that they are 28.5.2.
package aptrepo

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// Versions are those of docker-ce in the stable channel, the newest last; Test is the one that only the test channel has.
var Versions = []string{"28.5.1", "28.5.2"}

// Test is the version that only the channel test has.
const Test = "29.0.0~rc.1"

// full is a version as Docker's packages have it.
func full(version string) string { return "5:" + version + "-1~debian.any~test" }

// A Repo is a repository that hosts can reach.
type Repo struct {
	URL string
	Key string // the public key, in ASCII armour

	server *http.Server
	listen string
	files  http.Handler
}

// Serve makes a repository, signed with a key of its own, at an address that a host reaches.
func Serve(tb testing.TB, h *testhost.Host) *Repo {
	tb.Helper()
	pool, index := packages(tb)
	signer := newKey(tb)
	dir := tb.TempDir()
	must(tb, os.Symlink(pool, filepath.Join(dir, "pool")))
	for _, suite := range []string{"bookworm", "trixie"} {
		writeSuite(tb, filepath.Join(dir, "dists", suite), suite, index, signer)
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

// writeSuite writes the lists of a suite and signs them.
func writeSuite(tb testing.TB, dir, suite string, index map[string]string, signer *openpgp.Entity) {
	tb.Helper()
	release := fmt.Sprintf("Origin: Docker\nLabel: Docker CE\nSuite: %s\nCodename: %s\nArchitectures: amd64\nComponents: stable test\nDate: %s\nSHA256:\n",
		suite, suite, time.Now().Add(-time.Hour).UTC().Format(time.RFC1123))
	for _, channel := range []string{"stable", "test"} {
		name := channel + "/binary-amd64/Packages"
		text := index[channel]
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

// packages makes the packages once, in the user's cache folder, and returns where they are and the lists of the channels.
func packages(tb testing.TB) (dir string, index map[string]string) {
	tb.Helper()
	programs := filepath.Dir(testengine.CLI(tb))
	base, err := os.UserCacheDir()
	must(tb, err)
	all := append(append([]string{}, Versions...), Test)
	dir = filepath.Join(base, "swarmscript-test", fmt.Sprintf("debs-%x", sha256.Sum256([]byte(recipe()+strings.Join(all, " "))))[:30])
	if _, err := os.Stat(dir); err != nil {
		must(tb, os.MkdirAll(filepath.Dir(dir), 0o755))
		part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
		must(tb, err)
		defer os.RemoveAll(part)
		must(tb, os.Chmod(part, 0o755))
		for _, v := range all {
			for _, p := range versioned(programs, full(v)) {
				p.build(tb, part)
			}
		}
		containerd().build(tb, part)
		if err := os.Rename(part, dir); err != nil { // another one was faster
			_, err := os.Stat(dir)
			must(tb, err)
		}
	}
	index = map[string]string{}
	for _, p := range versioned(programs, full(Test)) {
		index["test"] += p.entry(tb, dir)
	}
	for _, v := range Versions {
		for _, p := range versioned(programs, full(v)) {
			index["stable"] += p.entry(tb, dir)
		}
	}
	c := containerd().entry(tb, dir)
	index["stable"] += c
	index["test"] += index["stable"]
	return dir, index
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// deb is a package to be made.
type deb struct {
	name, version, depends, conflicts string
	files                             map[string]string // where each is, by where it is to be
	texts                             map[string]string // contents
	scripts                           map[string]string // postinst and the like
}

func (d deb) file() string {
	return d.name + "_" + strings.NewReplacer(":", "-", "~", "-").Replace(d.version) + ".deb"
}

func (d deb) control() string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: Test <test@example.com>\nDepends: %s\nConflicts: %s\nReplaces: %s\nDescription: made for a test\n",
		d.name, d.version, d.depends, d.conflicts, d.conflicts)
}

func (d deb) build(tb testing.TB, to string) {
	tb.Helper()
	dir := tb.TempDir()
	put := func(path, text string, mode os.FileMode) {
		must(tb, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		must(tb, os.WriteFile(filepath.Join(dir, path), []byte(text), mode))
	}
	for path, from := range d.files {
		text, err := os.ReadFile(from)
		must(tb, err)
		put(path, string(text), 0o755)
	}
	for path, text := range d.texts {
		put(path, text, 0o644)
	}
	put("DEBIAN/control", d.control(), 0o644)
	for name, text := range d.scripts {
		put("DEBIAN/"+name, text, 0o755)
	}
	must(tb, os.Chmod(dir, 0o755))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", dir, filepath.Join(to, d.file())).CombinedOutput()
	if err != nil {
		tb.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
}

// entry is a package in a list of packages.
func (d deb) entry(tb testing.TB, dir string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(dir, d.file()))
	must(tb, err)
	return fmt.Sprintf("%sFilename: pool/%s\nSize: %d\nSHA256: %x\n\n", d.control(), d.file(), len(text), sha256.Sum256(text))
}
