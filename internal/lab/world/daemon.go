package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
	"github.com/opencontainers/go-digest"
	"github.com/sirupsen/logrus"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/cluster"
	"github.com/swarmscript/swarmscript/internal/lab/engine"
	"github.com/swarmscript/swarmscript/internal/lab/wire"
)

// swarmPatience is how long a daemon waits for its swarm when it starts, before it
// answers without it.
const swarmPatience = 5 * time.Second

// daemon is dockerd on a host: an engine, the host's membership in a swarm, and
// the API that serves both. It is what docker.service starts and stops.
type daemon struct {
	in     Inside
	system string // "Debian GNU/Linux 12 (bookworm)"
	wire   *wire.Wire
	mesh   *mesh
	log    *logrus.Entry
	filter func(from string) wire.Verdict // who may reach its manager

	changing sync.Mutex // held by who starts or stops it

	mu   sync.Mutex
	live bool // what ran on the engine runs on
	runs *running
}

// running is a daemon that was started.
type running struct {
	version string
	engine  *engine.Engine
	cluster *cluster.Cluster
	api     *pipes
	http    *http.Server
	cancel  context.CancelFunc
}

// Start implements debian.Daemon.
func (d *daemon) Start(ctx context.Context, version string, config []byte) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	if d.now() != nil {
		return nil
	}
	given := map[string]any{}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &given); err != nil {
			return fmt.Errorf("unable to configure the Docker daemon with file /etc/docker/daemon.json: %w", err)
		}
	}
	r := &running{version: version, api: newPipes()}
	life, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	if err := d.begin(life, r, given); err != nil {
		r.end()
		return err
	}
	d.mu.Lock()
	d.runs, d.live = r, false
	d.mu.Unlock()
	// What it says when its swarm does not answer, or is locked, is in its info.
	ctx, cancel = context.WithTimeout(ctx, swarmPatience)
	defer cancel()
	if err := r.cluster.Wait(ctx); err != nil {
		d.log.WithError(err).Warn("the swarm does not answer yet")
	}
	return nil
}

// begin makes the parts of a daemon.
func (d *daemon) begin(ctx context.Context, r *running, config map[string]any) (err error) {
	r.engine, err = engine.New(ctx, engine.Config{
		Hostname: d.in.Hostname, Address: d.in.Address, Version: r.version, OS: d.system, NanoCPUs: d.in.NanoCPUs, Memory: d.in.Memory,
		Store: d.in.Store.In("engine"), Daemon: config, Live: d.live, Publish: d.publish,
	})
	if err != nil {
		return err
	}
	r.applyFaults(d.in.Faults())
	e := r.engine
	r.cluster, err = cluster.New(cluster.Config{
		Hostname: d.in.Hostname, Address: d.in.Address, Dir: filepath.Join(d.in.Dir, "swarm"), Wire: d.wire, Filter: d.filter,
		Executor: d.mesh.executor(d, e.Executor()), Logger: d.log,
		Engine: cluster.Engine{
			Event: e.Event,
			Left:  func(string) { d.mesh.leave(d); e.LeaveSwarm() },
			Digest: func(ctx context.Context, image reference.NamedTagged, _ registry.AuthConfig) (digest.Digest, error) {
				found, err := e.Distribution(ctx, image.String())
				return found.Descriptor.Digest, err
			},
		},
	})
	if err != nil {
		return err
	}
	e.Use(r.cluster)
	r.http = &http.Server{Handler: e.Handler(), ReadHeaderTimeout: time.Minute}
	go r.http.Serve(r.api) // ends with r.end
	return nil
}

// end ends a daemon at once; what it has on disk stays.
func (r *running) end() {
	if r.http != nil {
		r.http.Close()
	}
	r.api.Close()
	if r.cluster != nil {
		r.cluster.Kill()
	}
	if r.engine != nil {
		r.engine.Close()
	}
	r.cancel()
}

func (d *daemon) now() *running {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runs
}

// take returns what runs, which then is somebody else's to end.
func (d *daemon) take() *running {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.runs
	d.runs = nil
	return r
}

// Stop implements debian.Daemon: containers are stopped.
func (d *daemon) Stop(context.Context) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	r := d.take()
	if r == nil {
		return nil
	}
	d.mesh.leave(d)
	r.http.Close()
	r.cluster.Kill() // before its tasks end: it would start others
	r.engine.Shutdown()
	r.end()
	return nil
}

// Cut ends it as a power cut does.
func (d *daemon) Cut() {
	if r := d.take(); r != nil {
		d.mesh.leave(d)
		r.end()
	}
}

// Dial implements debian.Daemon: a connection to its API.
func (d *daemon) Dial(ctx context.Context) (net.Conn, error) {
	r := d.now()
	if r == nil {
		return nil, errors.New("the Docker daemon does not run")
	}
	mine, its := newDuplex()
	select {
	case r.api.conns <- its:
		return mine, nil
	case <-r.api.done:
	case <-ctx.Done():
	}
	return nil, errors.Join(errors.New("the Docker daemon does not answer"), ctx.Err(), mine.Close(), its.Close())
}

// Version is that of what runs, "" where nothing does.
func (d *daemon) Version() string {
	if r := d.now(); r != nil {
		return r.version
	}
	return ""
}

// The ports of a swarm, which the lab's wire carries elsewhere.
const (
	managerPort = 2377
	gossipPort  = 7946
)

// Listens reports whether a member of a swarm listens there.
func (d *daemon) Listens(port int) bool {
	r := d.now()
	if r == nil {
		return false
	}
	state, role, _ := strings.Cut(r.cluster.Status(), "/")
	return state == "active" && (port == gossipPort || port == managerPort && role == "manager")
}

// Fault tells the engine of the faults that hold now.
func (d *daemon) Fault() {
	if r := d.now(); r != nil {
		r.applyFaults(d.in.Faults())
	}
}

func (r *running) applyFaults(all []*api.Fault) {
	r.engine.Clear(engine.Fault{})
	for _, f := range all {
		if parsed, err := engineFault(f); err == nil { // they were checked when they were set
			r.engine.Fault(parsed)
		}
	}
}

// faultTime reads how long something takes.
func faultTime(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return 0, errors.New("want a time, as 2s or 500ms")
	}
	return d, nil
}

// engineFault reads a fault's effects.
func engineFault(f *api.Fault) (out engine.Fault, err error) {
	out = engine.Fault{Image: f.Image, Service: f.Service, Container: f.Container}
	for name, v := range f.Effects {
		switch name {
		case "exit":
			code, bad := strconv.ParseUint(v, 10, 8)
			if bad != nil {
				err = errors.New("want an exit code, 0 to 255")
			}
			out.Exit = new(int)
			*out.Exit = int(code)
		case "exit-after":
			out.ExitAfter, err = faultTime(v)
		case "start-delay":
			out.StartDelay, err = faultTime(v)
		case "oom":
			out.OOM = true
		case "unhealthy":
			out.Unhealthy = true
		case "pull":
			out.Pull = v
			if v != "missing" && v != "unauthorized" && v != "unreachable" && v != "slow" {
				err = errors.New("want missing, unauthorized, unreachable or slow")
			}
		case "log":
			out.Log = v
		default:
			err = errors.New("want exit, exit-after, oom, unhealthy, start-delay, pull or log")
		}
		if err != nil {
			return out, &api.Failure{Code: api.CodeInvalid, Message: fmt.Sprintf("the effect %s is not known: %v", strings.TrimSuffix(name+"="+v, "="), err)}
		}
	}
	if out.ExitAfter > 0 && out.Exit == nil && !out.OOM {
		out.Exit = new(int)
	}
	return out, nil
}

// publish makes a port of a container listen on the host.
func (d *daemon) publish(p engine.Published) (func(), error) {
	if p.Protocol != "tcp" {
		return nil, nil // nothing answers there
	}
	text := fmt.Sprintf("container %.12s of host %s would answer at port %d", p.Container, d.in.Hostname, p.Port)
	release, err := d.in.Open(p.HostPort, func(c net.Conn) { answerHTTP(c, func() string { return text }) })
	var cannot *portUnserved
	if errors.As(err, &cannot) && !cannot.taken {
		d.in.Trouble(err.Error()) // Docker could, this system cannot
		return nil, nil
	}
	return release, err
}
