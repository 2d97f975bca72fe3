package world

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/sshd"
	"github.com/swarmscript/swarmscript/internal/lab/wire"
	"golang.org/x/crypto/ssh"
)

// OpenDebian opens a world of simulated Debians.
func OpenDebian(ctx context.Context, cfg Config) (*World, error) {
	network := wire.New()
	m := newMesh(network)
	cfg.Reaches = m.changed
	cfg.Make = func(in Inside) (Body, error) {
		return newDebian(in, network, m, logrus.NewEntry(logrus.StandardLogger()))
	}
	return Open(ctx, cfg, network)
}

// systems are what hosts say that they are, by their image.
var systems = map[string]string{
	"debian-12": "Debian GNU/Linux 12 (bookworm)",
	"debian-13": "Debian GNU/Linux 13 (trixie)",
}

// inside is the body of a host: a Debian, its sshd, and its dockerd.
type inside struct {
	in     Inside
	key    ssh.Signer
	system *debian.System
	docker *daemon

	mu   sync.Mutex
	ssh  *pipes // nil while it is off
	stop context.CancelFunc
	over chan struct{} // closed when its sshd has ended
}

func newDebian(in Inside, network *wire.Wire, m *mesh, log *logrus.Entry) (*inside, error) {
	key, err := ssh.ParsePrivateKey(in.HostKey)
	if err != nil {
		return nil, err
	}
	b := &inside{in: in, key: key}
	b.docker = &daemon{in: in, system: systems[in.Image], wire: network, mesh: m, log: log, live: in.Live, filter: b.managed}
	b.system, err = debian.New(debian.Config{
		Hostname: in.Hostname, Image: in.Image, Address: in.Address, User: in.User, AuthorizedKeys: in.AuthorizedKeys, HostKey: in.HostKey,
		NanoCPUs: in.NanoCPUs, Memory: in.Memory, Store: in.Store.In("debian"), Docker: b.docker,
		ServeDocker: b.serveDocker,
		Halted:      func(again bool) { in.Reboot(!again) },
	})
	return b, err
}

// Boot implements [Body].
func (b *inside) Boot(ctx context.Context) error {
	if err := b.system.Boot(ctx); err != nil {
		return err
	}
	life, stop := context.WithCancel(context.Background())
	p, over := newPipes(), make(chan struct{})
	b.mu.Lock()
	b.ssh, b.stop, b.over = p, stop, over
	b.mu.Unlock()
	go func() {
		defer close(over)
		err := sshd.Serve(life, p, sshd.Config{System: b.system, HostKey: b.key, Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return b.in.Dial(ctx, addr)
		}})
		if err != nil && life.Err() == nil {
			b.in.Trouble("its SSH server ended: " + err.Error())
		}
	}()
	return nil
}

// off ends the SSH server.
func (b *inside) off() {
	b.mu.Lock()
	p, stop, over := b.ssh, b.stop, b.over
	b.ssh = nil
	b.mu.Unlock()
	if p != nil {
		stop()
		p.Close()
		<-over
	}
}

// Halt implements [Body].
func (b *inside) Halt(ctx context.Context) error {
	err := b.system.Shutdown(ctx)
	return errors.Join(err, b.docker.Stop(ctx)) // where no unit did
}

// Cut implements [Body].
func (b *inside) Cut() {
	b.system.PowerOff()
	b.docker.Cut()
	b.off()
}

// SSH implements [Body].
func (b *inside) SSH(c net.Conn) {
	b.mu.Lock()
	p := b.ssh
	b.mu.Unlock()
	if p != nil {
		p.serve(c)
	}
}

// Engine implements [Body].
func (b *inside) Engine(ctx context.Context) (net.Conn, error) { return b.docker.Dial(ctx) }

// serveDocker makes the Docker Engine answer at a port of the host.
func (b *inside) serveDocker(port int, secure *tls.Config) (func(), error) {
	release, err := b.in.Listen(port, func(c net.Conn) {
		if secure != nil {
			c = tls.Server(c, secure)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		engine, err := b.Engine(ctx)
		if err != nil {
			return // as a port whose daemon does not run
		}
		splice(c, engine)
	})
	var cannot *portUnserved
	if errors.As(err, &cannot) && !cannot.taken {
		b.in.Trouble(err.Error()) // Docker could, this system cannot
		return func() {}, nil
	}
	return release, err
}

// Listens implements [Body].
func (b *inside) Listens(port int) bool { return b.docker.Listens(port) }

// Filter implements [Body].
func (b *inside) Filter(from netip.Addr, port int) debian.Verdict {
	return b.system.Filter("tcp", from, port)
}

// FilterPublished implements [Body].
func (b *inside) FilterPublished(from netip.Addr, port int) debian.Verdict {
	return b.system.FilterPublished("tcp", from, port)
}

// managed is what the firewall does with who dials the host's swarm manager.
func (b *inside) managed(from string) wire.Verdict {
	a, err := netip.ParseAddr(from)
	if err != nil {
		return wire.Admitted
	}
	return map[debian.Verdict]wire.Verdict{debian.Dropped: wire.Dropped, debian.Rejected: wire.Rejected}[b.Filter(a, managerPort)]
}

// Version implements [Body].
func (b *inside) Version() string { return b.docker.Version() }

// Fault implements [Body].
func (b *inside) Fault() { b.docker.Fault() }

func (b *inside) keysFile() (dir, file string) {
	dir = "/root/.ssh"
	if b.in.User != "root" {
		dir = "/home/" + b.in.User + "/.ssh"
	}
	return dir, dir + "/authorized_keys"
}

// Keys implements [Body].
func (b *inside) Keys() (keys []string, err error) {
	_, file := b.keysFile()
	text, err := b.system.FS().Root().ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // somebody removed it
	}
	for _, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			keys = append(keys, line)
		}
	}
	return keys, err
}

// SetKeys implements [Body].
func (b *inside) SetKeys(keys []string) error {
	root := b.system.FS().Root()
	root.Umask = 0o077
	dir, file := b.keysFile()
	err := errors.Join(root.MkdirAll(dir, 0o700), root.WriteFile(file, []byte(strings.Join(keys, "\n")+"\n"), 0o600))
	if who, ok := b.system.Account(b.in.User); ok && err == nil {
		err = errors.Join(root.Chown(dir, int(who.UID), int(who.GID), true), root.Chown(file, int(who.UID), int(who.GID), true))
	}
	return err
}
