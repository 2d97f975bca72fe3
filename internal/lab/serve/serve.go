// Package serve is a lab's process: it has the lab's file open, so that there is
// one at a time, answers the control API, and ends when nobody has used the lab
// for a while, or when it is told to.
//
// It may end in any way: what the lab is has been written by then. Before it
// serves it says one line on its standard output ([lab.SaysReady], [lab.SaysTaken],
// or what went wrong) and closes it, so that who started it knows.
package serve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/moby/sys/atomicwriter"
	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/cluster"
	"github.com/swarmscript/swarmscript/internal/lab/store"
	"github.com/swarmscript/swarmscript/internal/lab/world"
)

const (
	// DefaultIdle is after how long without anybody a lab's process ends.
	DefaultIdle = 30 * time.Minute
	// emptyIdle is that of a lab without hosts, which then is removed too: it is what
	// a destroy leaves.
	emptyIdle = 3 * time.Second
	// IdleVariable sets another one.
	IdleVariable = "SWARMSCRIPT_LAB_IDLE"
	// lookPause is how often the process looks whether its folder is still there.
	lookPause = 300 * time.Millisecond
	// largestLog is when a log is put aside.
	largestLog = 8 << 20
)

// Config says what lab to serve, and how.
type Config struct {
	Dir  string
	Idle time.Duration
	// Open makes the world.
	Open func(ctx context.Context, cfg world.Config) (*world.World, error)
	// Said receives the one line, and is closed after it.
	Said io.WriteCloser
}

// Main is the whole process, given its arguments after "lab serve". It returns the
// exit code.
func Main(args []string) int { return process(args, world.OpenDebian) }

// gcPercent is how the garbage collector is set where GOGC does not: a lab lives
// long and idles, and its memory counts, unlike that of a plan.
const gcPercent = 50

func process(args []string, open func(context.Context, world.Config) (*world.World, error)) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	cfg := Config{Idle: DefaultIdle, Said: os.Stdout, Open: open}
	if d, err := time.ParseDuration(os.Getenv(IdleVariable)); err == nil {
		cfg.Idle = d
	}
	flags := pflag.NewFlagSet("lab serve", pflag.ContinueOnError)
	flags.StringVar(&cfg.Dir, "dir", "", "the lab's folder")
	flags.DurationVar(&cfg.Idle, "idle", cfg.Idle, "end after that long without anybody")
	err := flags.Parse(args)
	if err == nil && cfg.Dir == "" {
		err = errors.New("lab serve needs --dir")
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = Run(ctx, cfg)
	}
	if err != nil {
		fmt.Fprintln(cfg.Said, err)
		return 1
	}
	return 0
}

// Intercept runs the process where the arguments of this program ask for it, and
// does not return then. Programs that are not swarmscript itself, such as tests,
// call it first, as labs start their process from the program that runs.
func Intercept(args []string) {
	if len(args) > 3 && args[1] == "lab" && args[2] == "serve" {
		os.Exit(Main(args[3:]))
	}
}

// server is a lab's process.
type server struct {
	cfg     Config
	log     *slog.Logger
	store   *store.Store
	world   *world.World
	process api.Process
	started time.Time
	use     *use
	file    os.FileInfo // the lab's, as it was opened
	http    *http.Server
	ctx     context.Context // of its life
	end     context.CancelFunc

	mu    sync.Mutex
	reset bool // remove the lab at the end
}

// Run serves the lab until ctx ends, or it is told to end, or nobody uses it.
func Run(ctx context.Context, cfg Config) error {
	s := &server{cfg: cfg, started: time.Now()}
	ctx, s.end = context.WithCancel(ctx)
	s.ctx = ctx
	defer s.end()
	build, err := lab.Build()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return err
	}
	if s.store, err = openStore(filepath.Join(cfg.Dir, api.StoreFile)); errors.Is(err, store.ErrLocked) {
		s.say(lab.SaysTaken)
		return nil
	} else if err != nil {
		return err
	}
	defer s.store.Close()
	if s.file, err = os.Stat(filepath.Join(cfg.Dir, api.StoreFile)); err != nil {
		return err // somebody removes the lab just now
	}
	closeLog, err := s.openLog()
	if err != nil {
		return err
	}
	defer closeLog()
	cluster.Logs(&swarmLog{s.log}, logrus.WarnLevel)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	s.process = api.Process{PID: os.Getpid(), Build: build, Address: ln.Addr().String(), Token: rand.Text()}
	s.use = newUse(cfg.Idle, s.idle, s.end)
	defer s.use.stop()
	s.world, err = cfg.Open(ctx, world.Config{Dir: cfg.Dir, Store: s.store, Log: s.log, Busy: s.use.begin})
	if err != nil {
		return err
	}
	return s.serve(ctx, ln)
}

// openStore opens the lab's file. One that was removed by who had it open before is
// made anew.
func openStore(path string) (*store.Store, error) {
	for {
		s, err := store.Open(path)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); err == nil {
			return s, nil
		}
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
}

// openLog begins the log; one that has become large is put aside. What the process
// writes to its standard error, such as the trace of a panic, goes there too.
func (s *server) openLog() (func(), error) {
	path := filepath.Join(s.cfg.Dir, api.LogFile)
	if info, err := os.Stat(path); err == nil && info.Size() > largestLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	level := slog.LevelInfo
	if os.Getenv("SWARMSCRIPT_LAB_DEBUG") != "" {
		level = slog.LevelDebug
	}
	s.log = slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: level}))
	return func() { f.Close() }, nil
}

// say tells who started the process how it went.
func (s *server) say(line string) {
	fmt.Fprintln(s.cfg.Said, line) // nobody may be there any more
	s.cfg.Said.Close()
}

func (s *server) serve(ctx context.Context, ln net.Listener) error {
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	go s.watchOwner()
	go s.watchFolder()
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(ln) }()
	err := writeProcess(s.cfg.Dir, s.process)
	if err == nil {
		s.log.Info("the lab is there", "pid", s.process.PID, "build", s.process.Build, "took", time.Since(s.started))
		s.say(lab.SaysReady)
		select {
		case <-ctx.Done():
		case err = <-served:
		}
	}
	return errors.Join(err, s.close())
}

// writeProcess says where the process answers, in one step.
func writeProcess(dir string, p api.Process) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return atomicwriter.WriteFile(filepath.Join(dir, api.ProcessFile), append(text, '\n'), 0o600)
}

// close ends the lab's process in good order: what it serves, then the file that
// says where it is. Until then it answers that it ends.
func (s *server) close() error {
	s.world.Close()
	dir := s.cfg.Dir
	s.mu.Lock()
	remove := s.reset || s.world.Empty()
	s.mu.Unlock()
	s.log.Info("the lab's process ends", "removed", remove)
	var err error
	if s.owns() {
		err = os.Remove(filepath.Join(dir, api.ProcessFile))
		if remove {
			err = errors.Join(err, s.remove(dir))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return errors.Join(err, s.http.Close())
	}
	return err
}

// remove removes the lab. The file goes last, but while it is locked: who waits for
// it finds that it is gone, and makes another one.
func (s *server) remove(dir string) (err error) {
	for _, name := range []string{"hosts", api.KeysDir, api.LogFile, api.LogFile + ".1"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
	}
	file := filepath.Join(dir, api.StoreFile)
	if os.Remove(file) != nil { // Windows removes nothing that is open
		err = errors.Join(err, s.store.Close(), os.Remove(file))
	}
	_ = os.Remove(dir) // where nothing else is in it
	return err
}

// idle is how long nobody may use the lab.
func (s *server) idle() time.Duration {
	if s.world != nil && s.world.Empty() {
		return min(s.cfg.Idle, emptyIdle)
	}
	return s.cfg.Idle
}
