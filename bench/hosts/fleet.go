package hosts

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/local"
)

// key opens every machine.
type key struct {
	file   string
	public string // a line of authorized_keys
	signer ssh.Signer
}

func newKey(dir string) (*key, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(priv, "bench")
	if err != nil {
		return nil, err
	}
	public, err := ssh.NewPublicKey(pub)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		return nil, err
	}
	k := &key{file: filepath.Join(dir, "key"), public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))), signer: signer}
	return k, os.WriteFile(k.file, pem.EncodeToMemory(block), 0o600)
}

// fleet is a set of machines as they are after their first boot: no lists of
// packages, no Python, no Docker.
type fleet struct {
	key      *key
	machines []*local.Machine // the managers first
	stop     func()           // ends what serves their apt; nil where nothing does
}

// boot makes machines and starts them. What was made before an error is in the
// fleet too, to be destroyed.
func boot(ctx context.Context, site *local.Site, k *key) (*fleet, error) {
	f := &fleet{key: k}
	for i := range machines {
		spec := local.Spec{Project: "bench", Name: fmt.Sprintf("m%d", i+1), Image: "debian-12", User: "root", SSHKeys: []string{k.public}}
		m, err := site.Create(ctx, spec, func(string) {})
		if err != nil {
			return f, err
		}
		f.machines = append(f.machines, m)
	}
	return f, f.each(func(_ int, m *local.Machine) error { return m.Start(ctx, func(string) {}) })
}

// each does something to all machines at once.
func (f *fleet) each(do func(i int, m *local.Machine) error) error {
	errs := make([]error, len(f.machines))
	var wg sync.WaitGroup
	for i, m := range f.machines {
		wg.Go(func() {
			if err := do(i, m); err != nil {
				errs[i] = fmt.Errorf("%s: %w", m.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// destroy takes the machines away, whatever became of them.
func (f *fleet) destroy(ctx context.Context) error {
	if f.stop != nil {
		f.stop()
	}
	return f.each(func(_ int, m *local.Machine) error { return m.Destroy(context.WithoutCancel(ctx)) })
}

// addresses are those of the machines, in their order.
func (f *fleet) addresses() []string {
	var out []string
	for _, m := range f.machines {
		out = append(out, m.Address.String())
	}
	return out
}

// knownHosts writes the machines' host keys where ssh looks for them.
func (f *fleet) knownHosts(home string) error {
	var b strings.Builder
	for _, m := range f.machines {
		fmt.Fprintf(&b, "%s %s\n", m.Address, m.HostKey)
	}
	dir := filepath.Join(home, ".ssh")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "known_hosts"), []byte(b.String()), 0o600)
}

// prepare runs a script on all machines, outside of what is measured.
func (f *fleet) prepare(ctx context.Context, script string) error {
	return f.each(func(_ int, m *local.Machine) error {
		c, err := f.dial(ctx, m)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = sh(c, script)
		return err
	})
}

// dial logs in to a machine.
func (f *fleet) dial(ctx context.Context, m *local.Machine) (*ssh.Client, error) {
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(m.HostKey))
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	addr := net.JoinHostPort(m.Address.String(), "22")
	tcp, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { tcp.Close() })
	conn, channels, requests, err := ssh.NewClientConn(tcp, addr, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(f.key.signer)}, HostKeyCallback: ssh.FixedHostKey(hostKey), Timeout: time.Minute,
	})
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	return ssh.NewClient(conn, channels, requests), nil
}

// sh runs a script in one exec and returns what it printed.
func sh(c *ssh.Client, script string) (string, error) {
	s, err := c.NewSession()
	if err != nil {
		return "", err
	}
	defer s.Close()
	var stdout, stderr bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(script), &stdout, &stderr
	if err := s.Run("sh -es"); err != nil {
		return "", fmt.Errorf("%w\n%s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// check finds out whether the job is done, by looking at the machines alone.
func (f *fleet) check(ctx context.Context) error {
	err := f.each(func(i int, m *local.Machine) error {
		c, err := f.dial(ctx, m)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = sh(c, f.expect(i))
		return err
	})
	if err != nil {
		return fmt.Errorf("the job is not done: %w", err)
	}
	c, err := f.dial(ctx, f.machines[0])
	if err != nil {
		return err
	}
	defer c.Close()
	got, err := sh(c, "docker node ls --format '{{.Status}} {{.ManagerStatus}}' | sort | uniq -c | sed 's/ *//;s/ *$//'")
	if want := fmt.Sprintf("%d Ready\n1 Ready Leader\n%d Ready Reachable", machines-managers, managers-1); err == nil && got != want {
		err = fmt.Errorf("the nodes are\n%s\nwant\n%s", got, want)
	}
	return err
}

// expect is a script that fails where the job is not done.
func (f *fleet) expect(i int) string {
	var b strings.Builder
	b.WriteString("wrong() { echo \"$1 is not as it should be\" >&2; exit 1; }\n")
	for path, content := range f.files(i) {
		fmt.Fprintf(&b, "cmp -s %s - <<'END' || wrong %s\n%sEND\n", path, path, content)
	}
	for _, p := range append([]string{"docker.io"}, packages...) {
		fmt.Fprintf(&b, "dpkg-query -W -f '${db:Status-Status}' %s | grep -qx installed || wrong %s\n", p, p)
	}
	for _, u := range []string{"shop.service", "docker.service"} {
		fmt.Fprintf(&b, "systemctl is-active -q %s || wrong %s\nsystemctl is-enabled -q %s || wrong %s\n", u, u, u, u)
	}
	return b.String()
}

// files are what the job writes on a machine, by their paths.
func (f *fleet) files(i int) map[string]string {
	role := "worker"
	if i < managers {
		role = "manager"
	}
	settings := fmt.Sprintf("NAME=%s\nROLE=%s\nMEMBERS=\"%s\"\n", f.machines[i].Name, role, strings.Join(f.addresses(), " "))
	return map[string]string{
		"/etc/motd":                        text("motd"),
		"/etc/profile.d/shop.sh":           text("shop.sh"),
		"/etc/logrotate.d/shop":            text("shop.logrotate"),
		"/etc/default/shop":                settings,
		"/etc/systemd/system/shop.service": text("shop.service"),
	}
}
