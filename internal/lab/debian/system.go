package debian

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// Config is what a machine is.
type Config struct {
	Hostname       string
	Image          string // "debian-12", "debian-13"
	Address        string
	User           string // the first account, which may use sudo; "" or "root": there is none but root
	AuthorizedKeys []string
	HostKey        []byte // PEM, for /etc/ssh
	NanoCPUs       int64
	Memory         int64
	Disk           int64 // bytes that the machine may have of its own; 0 is DefaultDisk
	Store          *store.Bucket
	Docker         Daemon
	// ServeDocker makes the engine's API listen at a port of the machine, with TLS
	// where that is given, until the function it returns is called. Without it an
	// engine that is to listen there does not start.
	ServeDocker func(port int, secure *tls.Config) (release func(), err error)
	// Halted is told that somebody on the machine has it switched off, or started
	// again. Without it, the machine does that itself.
	Halted func(reboot bool)
}

// DefaultDisk is how much a machine may hold beside its image. It is kept in memory.
const DefaultDisk = 1 << 30

// Daemon is the Docker engine that docker.service starts and stops.
type Daemon interface {
	Start(ctx context.Context, version string, config []byte) error // an error is its last words, and the unit fails
	Stop(ctx context.Context) error
	Dial(ctx context.Context) (net.Conn, error) // its API
}

// System is one machine. Its methods may be called at once.
type System struct {
	cfg      Config
	fs       *FS
	programs map[string]program
	units    *units
	settings *settings
	filters4 *filters
	filters6 *filters

	jobs     sync.WaitGroup // what runs in the background
	mu       sync.Mutex
	procs    map[int]*proc
	lastPID  int
	booted   time.Time
	bootID   string
	ctx      context.Context // of the time that it is on
	shutdown context.CancelCauseFunc
	ports    map[string]func(context.Context) (net.Conn, error) // who listens, by path
	engineAt []func()                                           // what closes the ports of the engine
	provided map[string]*Made                                   // files of /proc
}

// New makes a machine, or goes on with the one that the store has. It is off: see [System.Boot].
func New(cfg Config) (*System, error) {
	if cfg.Disk == 0 {
		cfg.Disk = DefaultDisk
	}
	img, err := loadImage(cfg.Image)
	if err != nil {
		return nil, err
	}
	s := &System{cfg: cfg, programs: img.programs, procs: map[int]*proc{}, ports: map[string]func(context.Context) (net.Conn, error){}}
	s.ctx, s.shutdown = context.WithCancelCause(context.Background())
	var bucket *store.Bucket
	if cfg.Store != nil {
		bucket = cfg.Store.In("fs")
	}
	if s.fs, err = newFS(img.base, cfg.Disk, bucket); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Hostname, err)
	}
	if !s.fs.Root().Exists("/etc/machine-id") {
		if err := s.firstBoot(); err != nil {
			return nil, fmt.Errorf("%s: the first boot: %w", cfg.Hostname, err)
		}
	}
	s.units, s.filters4, s.filters6 = newUnits(s), newFilters(false), newFilters(true)
	s.provideSettings()
	s.power()
	return s, s.mountProc()
}

// FS returns the file system.
func (s *System) FS() *FS { return s.fs }

// power begins a time that the machine is on.
func (s *System) power() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.shutdown = context.WithCancelCause(context.Background())
	s.booted = time.Now()
	s.bootID = newUUID()
	clear(s.procs)
	s.lastPID = 400
	s.procs[1] = &proc{pid: 1, args: []string{"/sbin/init"}, comm: "systemd", who: Root, start: s.booted, cancel: func(error) {}}
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
