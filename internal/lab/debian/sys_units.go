package debian

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// units is what systemd is on a machine: it has the units that were asked for, and
// starts and stops them. What runs in the background costs no goroutine where it is a
// program of [daemons]; scripts have one each.
type units struct {
	sys *System
	log *journal

	mu  sync.Mutex
	all map[string]*unit
}

// unit is one that was asked for. Its fields are under the lock of units.
type unit struct {
	name      string
	file      unitFile
	load      string // loaded, not-found, masked, bad-setting
	active    string // inactive, activating, active, deactivating, reloading, failed
	sub       string
	result    string
	pid, code int
	restarts  int
	since     time.Time
	next      time.Time // of a timer
	daemon    *daemon   // that runs
	stopping  bool
	ended     chan struct{} // closed when what runs has
	alarm     *time.Timer
	transient bool
	job       chan struct{} // holds a token while the unit is started or stopped
}

// unitError is why a unit was not started or stopped, in systemctl's words.
type unitError struct {
	msg  string
	code int
}

func (e *unitError) Error() string { return e.msg }

func unitErrorf(code int, format string, args ...any) error {
	return &unitError{fmt.Sprintf(format, args...), code}
}

func newUnits(s *System) *units { return &units{sys: s, log: &journal{}, all: map[string]*unit{}} }

// unitState is a copy of what is known of a unit.
type unitState struct {
	unit
	fileState string
}

func (u unitState) running() bool { return u.active == "active" || u.active == "reloading" }

// unit returns a unit, read when it is first asked for, or anew where nothing of it is
// in memory of systemd's either. The lock is held.
func (m *units) unit(name string) *unit {
	file, real, masked := m.sys.findUnit(name)
	u := m.all[real]
	if u == nil {
		u = &unit{name: real, active: "inactive", sub: "dead", result: "success", job: make(chan struct{}, 1)}
		m.all[real] = u
	} else if u.active != "inactive" || u.transient {
		return u
	}
	m.read(u, file, masked)
	return u
}

// read reads a unit's files.
func (m *units) read(u *unit, file string, masked bool) {
	if u.transient {
		return
	}
	u.file = m.sys.readUnit(u.name, file)
	switch {
	case masked:
		u.load = "masked"
	case file == "":
		u.load = "not-found"
	case strings.HasSuffix(u.name, ".service") && !u.file.runs():
		u.load = "bad-setting"
	default:
		u.load = "loaded"
	}
}

// runs reports whether a service has something to run.
func (f unitFile) runs() bool {
	return len(f.values["Service.ExecStart"]) > 0 || f.get("Service.Type") == "oneshot" && len(f.values["Service.ExecStop"]) > 0 || f.yes("Service.RemainAfterExit") && len(f.values["Service.ExecStop"]) > 0
}

// reload reads the files of all units again.
func (m *units) reload() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.all {
		file, real, masked := m.sys.findUnit(u.name)
		if real == u.name {
			m.read(u, file, masked)
		}
	}
}

// state returns what is known of a unit.
func (m *units) state(name string) unitState {
	m.mu.Lock()
	u := *m.unit(name)
	m.mu.Unlock()
	return unitState{u, m.fileState(name)}
}

func (m *units) isMasked(name string) bool {
	_, _, masked := m.sys.findUnit(name)
	return masked
}

// take waits for a unit's turn.
func (m *units) take(ctx context.Context, name string) (u *unit, free func(), err error) {
	m.mu.Lock()
	u = m.unit(name)
	m.mu.Unlock()
	select {
	case u.job <- struct{}{}:
		return u, func() { <-u.job }, nil
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// file is what a unit's files say. They are read again at any time, also while it is
// started or stopped.
func (m *units) file(u *unit) unitFile {
	m.mu.Lock()
	defer m.mu.Unlock()
	return u.file
}

// set changes a unit's state.
func (m *units) set(u *unit, active, sub string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u.active, u.sub, u.since = active, sub, time.Now()
}

// start starts a unit, with what it needs.
func (m *units) start(ctx context.Context, name string) error {
	u := m.state(name)
	switch {
	case u.load == "not-found":
		return unitErrorf(5, "Failed to start %s: Unit %s not found.", name, u.name)
	case u.load == "masked":
		return unitErrorf(1, "Failed to start %s: Unit %s is masked.", name, u.name)
	case u.load == "bad-setting":
		return unitErrorf(1, "Failed to start %s: Unit %s has a bad unit file setting.\nSee system logs and 'systemctl status %s' for details.", name, u.name, u.name)
	case u.running():
		return nil
	}
	for _, need := range slices.Concat(u.file.list("Unit.Requires"), u.file.list("Unit.BindsTo")) {
		if err := m.start(ctx, need); err != nil && m.state(need).load == "loaded" {
			return unitErrorf(1, "A dependency job for %s failed. See 'journalctl -xe' for details.", u.name)
		}
	}
	for _, other := range u.file.list("Unit.Wants") {
		if m.state(other).load == "loaded" {
			_ = m.start(ctx, other) // it is wanted, not needed
		}
	}
	at, free, err := m.take(ctx, name)
	if err != nil {
		return err
	}
	defer free()
	return m.startAlone(ctx, at)
}

// startAlone starts a unit whose turn it is.
func (m *units) startAlone(ctx context.Context, u *unit) error {
	m.mu.Lock()
	up := u.active == "active" || u.active == "reloading"
	if u.alarm != nil {
		u.alarm.Stop()
		u.alarm = nil
	}
	m.mu.Unlock()
	if up {
		return nil
	}
	switch path.Ext(u.name) {
	case ".service":
		return m.startService(ctx, u)
	case ".socket":
		return m.startSocket(u)
	case ".timer":
		return m.startTimer(u)
	case ".target", ".slice":
		m.set(u, "active", "active")
		return nil
	}
	m.log.say(u.name, "systemd[1]", "swarmscript lab: not simulated: starting "+u.name)
	return unitErrorf(1, "Failed to start %s: swarmscript lab: not simulated: units of this kind", u.name)
}

// stop stops a unit, and what cannot be without it.
func (m *units) stop(ctx context.Context, name string) error {
	u := m.state(name)
	if u.load == "not-found" && u.active == "inactive" {
		return unitErrorf(5, "Failed to stop %s: Unit %s not loaded.", name, u.name)
	}
	for _, other := range m.needing(u.name) {
		if err := m.stop(ctx, other); err != nil {
			return err
		}
	}
	at, free, err := m.take(ctx, name)
	if err != nil {
		return err
	}
	defer free()
	return m.stopAlone(ctx, at)
}

// needing are the units that run and cannot without one.
func (m *units) needing(name string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, other := range sortedKeys(m.all) {
		u := m.all[other]
		needs := slices.Concat(u.file.list("Unit.Requires"), u.file.list("Unit.BindsTo"), u.file.list("Unit.PartOf"))
		if (u.active == "active" || u.active == "activating") && slices.Contains(needs, name) {
			out = append(out, other)
		}
	}
	return out
}

func (m *units) stopAlone(ctx context.Context, u *unit) error {
	m.mu.Lock()
	if u.alarm != nil {
		u.alarm.Stop()
		u.alarm = nil
	}
	was := u.active
	m.mu.Unlock()
	if was == "inactive" || was == "failed" {
		return nil
	}
	var err error
	switch path.Ext(u.name) {
	case ".service":
		err = m.stopService(ctx, u)
	case ".socket":
		for _, at := range m.file(u).list("Socket.ListenStream") {
			m.sys.Unlisten(at)
		}
	}
	m.set(u, "inactive", "dead")
	m.log.say(u.name, "systemd[1]", "Stopped "+m.title(u)+".")
	m.forget(u)
	return err
}

// forget lets go of a unit that was made for once.
func (m *units) forget(u *unit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u.transient && (u.active == "inactive" || u.active == "failed") && m.all[u.name] == u {
		delete(m.all, u.name)
	}
	// What it was the timer of goes with it, unless that runs.
	if name, ok := strings.CutSuffix(u.name, ".timer"); ok && u.transient {
		if s := m.all[name+".service"]; s != nil && s.transient && s.active == "inactive" {
			delete(m.all, s.name)
		}
	}
}

// restart stops a unit and starts it.
func (m *units) restart(ctx context.Context, name string) error {
	u := m.state(name)
	if u.load == "loaded" && u.active != "inactive" {
		if err := m.stop(ctx, name); err != nil {
			return err
		}
	}
	return m.start(ctx, name)
}

// reloadUnit makes a unit take on its settings.
func (m *units) reloadUnit(ctx context.Context, name string) error {
	s := m.state(name)
	u, free, err := m.take(ctx, name)
	if err != nil {
		return err
	}
	defer free()
	switch {
	case s.load == "not-found":
		return unitErrorf(5, "Failed to reload %s: Unit %s not found.", name, s.name)
	case !s.reloads():
		return unitErrorf(1, "Failed to reload %s: Job type reload is not applicable for unit %s.", name, s.name)
	case !s.running():
		return unitErrorf(1, "%s is not active, cannot reload.", s.name)
	case s.daemon != nil:
		if s.daemon.reload != nil {
			err = s.daemon.reload(ctx, m.sys, s.name)
		}
	default:
		err = m.runAll(ctx, u, "Service.ExecReload")
	}
	if err != nil {
		m.log.say(s.name, "systemd[1]", "Reload failed for "+m.title(u)+": "+reason(err))
		return unitErrorf(1, "Job for %s failed.\nSee \"systemctl status %s\" and \"journalctl -xeu %s\" for details.", s.name, s.name, s.name)
	}
	m.log.say(s.name, "systemd[1]", "Reloaded "+m.title(u)+".")
	return nil
}

func (u unitState) reloads() bool { return len(u.file.values["Service.ExecReload"]) > 0 }

func (m *units) title(u *unit) string {
	if d := m.file(u).get("Unit.Description"); d != "" {
		return u.name + " - " + d
	}
	return u.name
}

// resetFailed forgets that a unit has failed.
func (m *units) resetFailed(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.all {
		if (name == "" || u.name == name) && u.active == "failed" {
			u.active, u.sub, u.result, u.restarts = "inactive", "dead", "success", 0
			if u.transient {
				delete(m.all, u.name)
			}
		}
	}
}

// startSocket begins to listen. Who connects starts the service of the same name.
func (m *units) startSocket(u *unit) error {
	file := m.file(u)
	service := strings.TrimSuffix(u.name, ".socket") + ".service"
	if s := file.get("Socket.Service"); s != "" {
		service = s
	}
	accept := m.acceptFor(service)
	at := file.list("Socket.ListenStream")
	if accept == nil || slices.ContainsFunc(at, func(p string) bool { return !strings.HasPrefix(p, "/") }) {
		m.log.say(u.name, "systemd[1]", "swarmscript lab: not simulated: listening for "+service)
		m.set(u, "failed", "failed")
		return unitErrorf(1, "Job for %s failed.\nSee \"systemctl status %s\" and \"journalctl -xeu %s\" for details.", u.name, u.name, u.name)
	}
	var gid, mode uint32 = 0, 0o666
	if g, ok := m.sys.group(file.get("Socket.SocketGroup")); ok {
		gid = g.gid
	}
	if v := file.get("Socket.SocketMode"); v != "" {
		fmt.Sscanf(v, "%o", &mode)
	}
	for _, p := range at {
		if err := m.sys.Listen(p, gid, mode, accept); err != nil {
			m.set(u, "failed", "failed")
			return unitErrorf(1, "Failed to start %s: %s", u.name, reason(err))
		}
	}
	sub := "listening"
	if m.state(service).running() {
		sub = "running"
	}
	m.set(u, "active", sub)
	m.log.say(u.name, "systemd[1]", "Listening on "+m.title(u)+".")
	return nil
}

// boot starts what is enabled. What fails is in the journal, as on any machine.
func (m *units) boot(ctx context.Context) error {
	m.mu.Lock()
	m.all = map[string]*unit{}
	m.mu.Unlock()
	m.log.clear()
	m.sys.bootSettings()
	for _, target := range []string{"sysinit.target", "basic.target", "sockets.target", "timers.target", "multi-user.target"} {
		for _, name := range m.wantedBy(target) {
			err := m.start(ctx, name)
			if cause := ctx.Err(); err != nil && cause != nil {
				return cause
			}
		}
		m.mu.Lock()
		u := m.unit(target)
		m.mu.Unlock()
		m.set(u, "active", "active")
	}
	return nil
}

// wantedBy are the units that a target wants, by the links in its folders.
func (m *units) wantedBy(target string) []string {
	found := map[string]bool{}
	root := m.sys.fs.Root()
	for _, folder := range unitFolders {
		for _, kind := range []string{".wants", ".requires"} {
			entries, _ := root.ReadDir(folder + "/" + target + kind)
			for _, e := range entries {
				found[e.Name] = true
			}
		}
	}
	return sortedKeys(found)
}

// halt stops all that runs.
func (m *units) halt(ctx context.Context) error {
	m.mu.Lock()
	all := slices.Sorted(maps.Keys(m.all))
	m.mu.Unlock()
	var problems []error
	for _, kind := range []string{".timer", ".socket", ".service"} { // a socket would start its service again
		for _, name := range all {
			if strings.HasSuffix(name, kind) && m.state(name).active != "inactive" {
				problems = append(problems, m.stop(ctx, name))
			}
		}
	}
	return errors.Join(problems...)
}

// drop ends the timers when the machine is switched off at once; what runs ends with
// its context.
func (m *units) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.all {
		if u.alarm != nil {
			u.alarm.Stop()
		}
	}
}
