package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// daemon is a program that runs in the background, as far as it does anything here. It
// has a place among the processes, and no goroutine.
type daemon struct {
	start  func(ctx context.Context, s *System, unit string, args []string) error // nil: nothing is to be done
	stop   func(ctx context.Context, s *System, unit string) error
	reload func(ctx context.Context, s *System, unit string) error
}

// daemons are those that are known, by the program's name. Of the ones without
// functions, nothing is to be seen but that they run: what they serve on a real
// machine, such as the time or the bus, has no place here.
var daemons = map[string]*daemon{
	"sshd":                        {},
	"containerd":                  {},
	"dbus-daemon":                 {},
	"systemd-journald":            {},
	"systemd-logind":              {},
	"systemd-timesyncd":           {},
	"chronyd":                     {},
	"unattended-upgrade-shutdown": {},
	"fail2ban-server":             {start: startFail2ban, stop: stopFail2ban, reload: reloadFail2ban},
	"dockerd":                     {start: startDocker, stop: stopDocker, reload: reloadDocker},
}

// startService starts a service whose turn it is.
func (m *units) startService(ctx context.Context, u *unit) error {
	m.set(u, "activating", "start")
	m.mu.Lock()
	u.stopping, u.daemon, u.pid, u.code, u.result = false, nil, 0, 0, "success"
	m.mu.Unlock()
	err := m.runAll(ctx, u, "Service.ExecStartPre")
	if err == nil {
		err = m.execStart(ctx, u)
	}
	if err == nil {
		err = m.runAll(ctx, u, "Service.ExecStartPost")
	}
	if err == nil {
		m.log.say(u.name, "systemd[1]", "Started "+m.title(u)+".")
		return nil
	}
	m.fail(u, "exit-code")
	m.log.say(u.name, "systemd[1]", "Failed to start "+m.title(u)+".")
	return unitErrorf(1, "Job for %s failed because the control process exited with error code.\nSee \"systemctl status %s\" and \"journalctl -xeu %s\" for details.", u.name, u.name, u.name)
}

// fail notes that a unit has failed.
func (m *units) fail(u *unit, result string) {
	m.set(u, "failed", "failed")
	m.mu.Lock()
	u.result, u.pid = result, 0
	m.mu.Unlock()
}

// execStart runs what a service is.
func (m *units) execStart(ctx context.Context, u *unit) error {
	env := m.environment(u)
	file := m.file(u)
	all := file.commands("Service.ExecStart", u.name, env)
	kind := file.get("Service.Type")
	if len(all) == 1 && kind != "oneshot" {
		if d := daemons[path.Base(all[0].args[0])]; d != nil && m.isProgram(all[0].args[0]) {
			return m.startDaemon(ctx, u, d, all[0].args)
		}
	}
	switch kind {
	case "oneshot", "forking":
		if err := m.runAll(ctx, u, "Service.ExecStart"); err != nil {
			return err
		}
		switch {
		case kind == "forking" || file.yes("Service.RemainAfterExit"):
			m.set(u, "active", "exited")
		default:
			m.set(u, "inactive", "dead")
			m.forget(u)
		}
		return nil
	case "", "simple", "exec", "idle":
	default:
		m.log.say(u.name, "systemd[1]", "swarmscript lab: not simulated: Type="+kind+" of a program that is not known")
		return errors.New("not simulated: Type=" + kind)
	}
	return m.spawn(u, all[0], env)
}

// isProgram reports whether a file is there, as a program that is known.
func (m *units) isProgram(file string) bool {
	st, err := m.sys.fs.Root().Stat(file)
	return err == nil && st.Kind == File
}

// startDaemon makes a known program run in the background.
func (m *units) startDaemon(ctx context.Context, u *unit, d *daemon, args []string) error {
	c := &call{sys: m.sys, args: args, fs: m.sys.fs.Root(), fds: &fdTable{open: map[int]*stream{}}}
	p := m.sys.enter(c, 1, nil)
	m.sys.setCancel(p, func(cause error) { go m.killed(u, p.pid, cause) })
	if d.reload != nil {
		m.sys.onSignal(p, 1, func() { go func() { _ = m.reloadUnit(m.sys.on(), u.name) }() })
	}
	m.mu.Lock()
	u.daemon, u.pid, u.ended = d, p.pid, nil
	m.mu.Unlock()
	if d.start != nil {
		if err := d.start(ctx, m.sys, u.name, args); err != nil {
			m.log.say(u.name, m.who(u), reason(err))
			m.log.say(u.name, "systemd[1]", u.name+": Main process exited, code=exited, status=1/FAILURE")
			m.sys.leave(context.Background(), p, 1)
			m.mu.Lock()
			u.daemon, u.pid, u.code = nil, 0, 1
			m.mu.Unlock()
			return err
		}
	}
	m.set(u, "active", "running")
	return nil
}

// who is a unit's program as the journal names it.
func (m *units) who(u *unit) string {
	m.mu.Lock()
	pid := u.pid
	m.mu.Unlock()
	name := strings.TrimSuffix(u.name, path.Ext(u.name))
	if all := m.file(u).commands("Service.ExecStart", u.name, nil); len(all) > 0 {
		name = path.Base(all[0].args[0])
	}
	return fmt.Sprintf("%s[%d]", name, pid)
}

// killed is the end of a daemon by a signal that somebody sent it.
func (m *units) killed(u *unit, pid int, cause error) {
	m.mu.Lock()
	d := u.daemon
	mine := u.pid == pid && !u.stopping && d != nil
	m.mu.Unlock()
	if !mine || m.sys.on().Err() != nil {
		return
	}
	if d.stop != nil {
		_ = d.stop(m.sys.on(), m.sys, u.name)
	}
	m.sys.gone(pid)
	var by signalled
	clean := errors.As(cause, &by) && (by == 1 || by == 2 || by == 13 || by == 15)
	m.log.say(u.name, "systemd[1]", fmt.Sprintf("%s: Main process exited, code=killed, status=%d", u.name, int(by)))
	m.over(u, nil, b2i(!clean)*(128+int(by)), !clean)
}

// newCall prepares a command of a unit.
func (m *units) newCall(u *unit, args, env []string) *call {
	who, file := Root, m.file(u)
	if name := file.get("Service.User"); name != "" {
		if a, ok := m.sys.account(name); ok {
			who = a
		}
	}
	files := m.sys.fs.As(who)
	if dir := strings.TrimPrefix(file.get("Service.WorkingDirectory"), "-"); dir != "" && dir != "~" {
		files.Dir = dir
	}
	out := &journalWriter{m: m, u: u}
	return m.sys.newCall(files, args, env, newFDs(readStream(nil), writeStream(out), writeStream(out)))
}

// journalWriter is the standard output of a unit's programs.
type journalWriter struct {
	m   *units
	u   *unit
	who string
}

func (w *journalWriter) Write(b []byte) (int, error) {
	w.m.log.say(w.u.name, w.who, string(b))
	return len(b), nil
}

var _ io.Writer = (*journalWriter)(nil)

// environment is that of a unit's programs.
func (m *units) environment(u *unit) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG=C.UTF-8", "INVOCATION_ID=" + strings.ReplaceAll(newUUID(), "-", "")}
	of := m.file(u)
	for _, line := range of.values["Service.Environment"] {
		env = append(env, quotedWords(line)...)
	}
	for _, file := range of.list("Service.EnvironmentFile") {
		text, err := m.sys.fs.Root().ReadFile(strings.TrimPrefix(file, "-"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if k, v, ok := strings.Cut(line, "="); ok && line[0] != '#' {
				env = append(env, k+"="+strings.Join(quotedWords(v), " "))
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if u.pid > 0 {
		env = append(env, fmt.Sprintf("MAINPID=%d", u.pid))
	}
	return env
}

// runAll runs the commands of a key, one after another.
func (m *units) runAll(ctx context.Context, u *unit, key string) error {
	env := m.environment(u)
	for _, cmd := range m.file(u).commands(key, u.name, env) {
		c := m.newCall(u, cmd.args, env)
		c.fds.at(1).w.(*journalWriter).who = path.Base(cmd.args[0])
		code, err := m.exec(ctx, c)
		if (code != 0 || err != nil) && !cmd.mayFail {
			m.log.say(u.name, "systemd[1]", fmt.Sprintf("%s: Control process exited, code=exited, status=%d", u.name, code))
			m.mu.Lock()
			u.code = code
			m.mu.Unlock()
			return fmt.Errorf("%s ended with %d", cmd.args[0], code)
		}
	}
	return nil
}

// exec runs a command of a unit to its end.
func (m *units) exec(ctx context.Context, c *call) (int, error) {
	defer c.fds.close()
	ctx, end := m.sys.while(ctx)
	defer end()
	file, err := lookPath(c.fs, c.getenv("PATH"), c.args[0])
	if err != nil {
		c.fds.at(2).Write([]byte("Failed at step EXEC spawning " + c.args[0] + ": " + reason(err) + "\n"))
		return 203, err
	}
	return m.sys.start(ctx, c, 1, file), nil
}

// spawn makes a command run in the background.
func (m *units) spawn(u *unit, cmd unitCommand, env []string) error {
	c := m.newCall(u, cmd.args, env)
	file, err := lookPath(c.fs, c.getenv("PATH"), cmd.args[0])
	if err == nil {
		err = c.fs.Access(file, 1)
	}
	if err != nil { // which only the journal tells: the unit was started
		c.fds.close()
		m.log.say(u.name, "systemd[1]", fmt.Sprintf("%s: Failed to locate executable %s: %s\n%s: Failed at step EXEC spawning %s: %s", u.name, cmd.args[0], reason(err), u.name, cmd.args[0], reason(err)))
		m.over(u, nil, 203, true)
		return nil
	}
	c.fds.at(1).w.(*journalWriter).who = path.Base(cmd.args[0])
	ended := make(chan struct{})
	on := m.sys.on()
	ctx, cancel := context.WithCancelCause(on)
	p := m.sys.enter(c, 1, cancel)
	m.mu.Lock()
	u.ended, u.pid = ended, p.pid
	m.mu.Unlock()
	m.set(u, "active", "running")
	go func() {
		defer cancel(nil)
		code := m.sys.leave(ctx, p, m.sys.run(ctx, c, file))
		c.fds.close()
		m.mu.Lock()
		itself := u.ended == ended && !u.stopping
		m.mu.Unlock()
		close(ended) // who stops it may start it again at once
		if itself && on.Err() == nil {
			clean := code == 0 || code == 128+15 || code == 128+1 || code == 128+2 || code == 128+13
			m.log.say(u.name, "systemd[1]", fmt.Sprintf("%s: Main process exited, code=exited, status=%d", u.name, code))
			m.over(u, ended, code, !clean)
		}
	}()
	return nil
}

// over is the end of what a service ran, by itself: it is started again as its file
// says. It is of a process that is no longer the service's where somebody was faster;
// ended is that one's, nil where there was none.
func (m *units) over(u *unit, ended chan struct{}, code int, failed bool) {
	policy := m.file(u).get("Service.Restart")
	again := policy == "always" || failed && slices.Contains([]string{"on-failure", "on-abnormal", "on-abort"}, policy) || !failed && policy == "on-success"
	m.mu.Lock()
	if ended != nil && u.ended != ended {
		m.mu.Unlock()
		return
	}
	u.pid, u.code, u.daemon, u.since = 0, code, nil, time.Now()
	switch {
	case again && u.restarts >= 5:
		u.active, u.sub, u.result = "failed", "failed", "start-limit-hit"
		again = false
	case again:
		u.active, u.sub = "activating", "auto-restart"
		u.restarts++
	case failed:
		u.active, u.sub, u.result = "failed", "failed", "exit-code"
	case u.file.yes("Service.RemainAfterExit"):
		u.active, u.sub = "active", "exited"
	default:
		u.active, u.sub = "inactive", "dead"
	}
	on := m.sys.on()
	if again {
		u.alarm = time.AfterFunc(u.file.duration("Service.RestartSec", 100*time.Millisecond), func() {
			at, free, err := m.take(on, u.name)
			if err != nil {
				return
			}
			defer free()
			m.mu.Lock()
			still := at.active == "activating" && at.sub == "auto-restart"
			m.mu.Unlock()
			if still && on.Err() == nil {
				_ = m.startService(on, at)
			}
		})
	}
	result := u.result
	m.mu.Unlock()
	if result == "start-limit-hit" {
		m.log.say(u.name, "systemd[1]", u.name+": Start request repeated too quickly.")
	}
	m.forget(u)
}

// stopService ends what a service runs.
func (m *units) stopService(ctx context.Context, u *unit) error {
	m.set(u, "deactivating", "stop")
	m.mu.Lock()
	u.stopping = true
	d, pid, ended := u.daemon, u.pid, u.ended
	m.mu.Unlock()
	var err error
	switch {
	case d != nil:
		if d.stop != nil {
			err = d.stop(ctx, m.sys, u.name)
		}
		m.sys.gone(pid)
	default:
		err = m.runAll(ctx, u, "Service.ExecStop")
		if ended != nil {
			err = errors.Join(err, m.end(ctx, u, pid, ended))
		}
	}
	_ = m.runAll(ctx, u, "Service.ExecStopPost")
	m.mu.Lock()
	u.daemon, u.pid, u.ended, u.restarts = nil, 0, nil, 0
	m.mu.Unlock()
	return err
}

// end sends a service's process the signal that ends it, and waits.
func (m *units) end(ctx context.Context, u *unit, pid int, ended chan struct{}) error {
	_ = m.sys.kill(pid, 15)
	patience := time.NewTimer(m.file(u).duration("Service.TimeoutStopSec", 90*time.Second))
	defer patience.Stop()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-patience.C:
	}
	_ = m.sys.kill(pid, 9)
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// setCancel says what the end of a process by a signal does.
func (s *System) setCancel(p *proc, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.cancel = cancel
}

// onSignal says what a signal does to a process, instead of ending it.
func (s *System) onSignal(p *proc, signal int, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.handlers == nil {
		p.handlers = map[int]func(){}
	}
	maps.Copy(p.handlers, map[int]func(){signal: do})
}

// gone takes a daemon's process out of the table.
func (s *System) gone(pid int) {
	s.mu.Lock()
	p := s.procs[pid]
	s.mu.Unlock()
	if p != nil {
		s.leave(context.Background(), p, 0)
	}
}
