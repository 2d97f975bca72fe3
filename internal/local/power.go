package local

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed keep.sh
	keepScript string
	//go:embed boot.sh
	bootScript string
	//go:embed init.sh
	initScript string
)

// State is what a machine does.
type State string

// The states of a machine.
const (
	Running State = "running"
	Paused  State = "paused"
	Off     State = "off"
	Broken  State = "broken" // half made or half destroyed
)

// State asks the kernel.
func (m *Machine) State() State {
	if !m.Ready {
		return Broken
	}
	if m.pid() == 0 {
		return Off
	}
	if f, err := m.freezer(); err == nil && f.isOn() {
		return Paused
	}
	return Running
}

// boot is the machine's first process, in the file boot.json. A number alone
// would not tell which process it was: they are used again, and after a reboot
// from the start.
type boot struct {
	PID     int
	Started string // in ticks of the kernel's clock
	Kernel  string // the random ID of the computer's own boot
}

const kernelBoot = "/proc/sys/kernel/random/boot_id"

// pid is the machine's first process as the computer numbers it, 0 where it is
// off.
func (m *Machine) pid() int {
	var b boot
	if readJSON(m.file("boot.json"), &b) != nil || b.Kernel != readWord(kernelBoot) || started(b.PID) != b.Started {
		return 0
	}
	return b.PID
}

// PID is the machine's first process as the computer numbers it, 0 where it is
// off: for nsenter(1).
func (m *Machine) PID() int { return m.pid() }

// started is when a process started, "" where there is none or it has ended.
func started(pid int) string {
	text := readWord(fmt.Sprintf("/proc/%d/stat", pid))
	// The name of the program stands in parentheses, and may have some itself.
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return ""
	}
	return f[19]
}

// Start boots the machine, and returns when its SSH server answers. One that
// runs is left as it is, one that is paused goes on.
func (m *Machine) Start(ctx context.Context, progress func(string)) error {
	for {
		booted, err := m.bootOnce(ctx, progress)
		if err != nil {
			return err
		}
		progress("waits for its SSH server")
		err = m.answers(ctx)
		if booted || !errors.Is(err, errEnded) {
			return err
		}
		// It was about to end when we came: it was shutting down, or whoever booted
		// it had just died.
	}
}

// bootOnce boots the machine if it does not run, and reports whether it did.
func (m *Machine) bootOnce(ctx context.Context, progress func(string)) (booted bool, err error) {
	err = m.change(ctx, func() error {
		if m.pid() != 0 {
			return m.thaw(ctx)
		}
		if !exists(m.Base) {
			return fmt.Errorf("machine %s: the base of its image is not in the cache any more (%s): destroy the machine, and make it again", m.Name, m.Base)
		}
		progress("boots")
		booted = true
		return m.boot(ctx)
	})
	return booted, err
}

// boot starts the first process. If anything fails, or we die, it ends.
func (m *Machine) boot(ctx context.Context) error {
	// What a former boot has left, as after a power cut.
	if err := m.end(ctx); err != nil {
		return err
	}
	lock, err := m.site.lock(ctx)
	if err != nil {
		return err
	}
	subnet, err := m.site.makeNetwork(ctx)
	lock.Close()
	if err != nil {
		return err
	}
	if err := m.writeResolver(); err != nil {
		return err
	}
	b, word, err := m.spawn(ctx, fmt.Sprintf("%s/%d", m.Address, subnet.Bits()), gateway(subnet).String())
	if err != nil {
		return err
	}
	defer word.Close()
	err = writeJSON(m.file("boot.json"), b)
	if err == nil {
		err = m.enter(b.PID)
	}
	if err == nil {
		err = m.connect(ctx, b.PID)
	}
	if err == nil {
		err = m.part(ctx)
	}
	if err == nil {
		err = m.enclose(ctx)
	}
	if err == nil {
		_, err = io.WriteString(word, "go\n")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("machine %s: %w", m.Name, err), m.end(context.WithoutCancel(ctx)))
	}
	return nil
}

// spawn starts the machine's first process, which waits for a word, and what
// keeps it: that is made by a shell that ends at once, so that it is nobody's child
// and lives on without us.
func (m *Machine) spawn(ctx context.Context, address, gateway string) (b boot, word io.WriteCloser, err error) {
	log, err := os.Create(m.LogFile())
	if err != nil {
		return b, nil, err
	}
	defer log.Close()
	theirs, word, err := os.Pipe()
	if err != nil {
		return b, nil, err
	}
	defer theirs.Close()
	args, err := m.initArgs(address, gateway)
	if err != nil {
		return b, nil, errors.Join(err, word.Close())
	}
	self, err := os.Open("/proc/self/exe") // by which it starts the machine anew, where that reboots
	if err != nil {
		return b, nil, errors.Join(err, word.Close())
	}
	defer self.Close()
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{
		"-c", `script=$1; shift; /bin/sh -c "$script" keep "$@" &`, "fork", keepScript, m.dir(), "/bin/sh", "-c", bootScript, "boot"}, args...)...)
	cmd.Env = []string{"PATH=" + systemPath}
	cmd.Dir = "/"
	cmd.SysProcAttr = daemon()
	cmd.Stderr = log
	cmd.ExtraFiles = []*os.File{theirs, log, self}
	if b.PID, err = numberFrom(cmd); err != nil {
		return b, nil, errors.Join(fmt.Errorf("unshare: %w: %s", err, m.logTail()), word.Close())
	}
	b.Started, b.Kernel = started(b.PID), readWord(kernelBoot)
	return b, word, nil
}

// numberFrom runs what prints a number, and whose children may go on.
func numberFrom(cmd *exec.Cmd) (int, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

// initArgs are what boot.sh runs: init.sh, with its own.
func (m *Machine) initArgs(address, gateway string) ([]string, error) {
	all, err := m.site.hierarchies()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range all {
		if !h.unified {
			names = append(names, strings.Join(h.controllers, ","))
		}
	}
	unified := "yes"
	if len(names) > 0 {
		unified = "no" // systemd mounts that one itself
	}
	// Without an index the kernel does not mind that it may still be busy with the
	// mount of the boot before.
	overlay := "index=off,lowerdir=" + m.Base + ",upperdir=" + m.file("upper") + ",workdir=" + m.file("work")
	return append([]string{initScript, "init", m.Name, address, gateway, overlay, m.dir(), unified}, names...), nil
}

// bootTime bounds a boot. It takes three seconds on a computer with nothing else
// to do.
const bootTime = 2 * time.Minute

var errEnded = errors.New("ended while it booted")

// answers waits until the machine's SSH server does.
func (m *Machine) answers(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for {
		if m.greets(limited) {
			return nil
		}
		if m.pid() == 0 {
			return fmt.Errorf("machine %s %w: %s", m.Name, errEnded, m.logTail())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limited.Done():
			return fmt.Errorf("machine %s runs, but its SSH server at %s did not answer in %s", m.Name, m.Address, bootTime)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// greets reports whether an SSH server introduces itself.
func (m *Machine) greets(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := m.DialSSH(limited)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // a server that is slow is asked again
	word := make([]byte, 4)
	_, err = io.ReadFull(conn, word)
	return err == nil && string(word) == "SSH-"
}

func (m *Machine) logTail() string {
	text, _ := os.ReadFile(m.LogFile())
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

// stopTime is how long an orderly shutdown may take before it is a power cut.
// systemd gives each service 90 seconds.
const stopTime = 2 * time.Minute

// Stop shuts the machine down in an orderly way; one that does not do it in time
// is cut off.
func (m *Machine) Stop(ctx context.Context) error {
	return m.change(ctx, func() error {
		if pid := m.pid(); pid != 0 {
			if err := m.thaw(ctx); err != nil {
				return err
			}
			if err := signal(pid, sigPowerOff); err != nil {
				return err
			}
			limited, cancel := context.WithTimeout(ctx, stopTime)
			defer cancel()
			if err := m.gone(limited); err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return m.end(ctx)
	})
}

// Kill is a power cut: all processes of the machine end at once.
func (m *Machine) Kill(ctx context.Context) error {
	return m.change(ctx, func() error { return m.end(ctx) })
}

// end ends the machine, if it runs, and takes away what a boot has made.
func (m *Machine) end(ctx context.Context) error {
	if pid := m.pid(); pid != 0 {
		// The kernel ends all processes of a namespace with its first.
		if err := signal(pid, sigKill); err != nil && m.pid() != 0 {
			return err
		}
		if err := m.thaw(ctx); err != nil && m.pid() != 0 {
			return err // a frozen process does not even die
		}
		if err := m.gone(ctx); err != nil {
			return err
		}
	}
	for {
		m.site.removeCgroups(m.cgroup())
		left := m.site.cgroups(m.cgroup())
		if exists("/sys/class/net/" + m.link()) {
			left = append(left, m.link())
			// It goes with the other end's namespace, which the kernel takes apart in
			// its own time.
			_, _ = run(ctx, "ip", "link", "delete", m.link())
		}
		if len(left) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("machine %s: %s does not go away: %w", m.Name, strings.Join(left, ", "), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := os.Remove(m.file("boot.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// gone waits until no process of the machine is left.
func (m *Machine) gone(ctx context.Context) error {
	for m.pid() != 0 || len(m.processes()) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("machine %s does not end: %w", m.Name, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// processes are those in the machine's cgroups, as the computer numbers them. One
// hierarchy tells: all processes are in each.
func (m *Machine) processes() []string {
	tops := m.site.cgroups(m.cgroup())
	if len(tops) == 0 {
		return nil
	}
	var out []string
	_ = filepath.WalkDir(tops[0], func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "cgroup.procs" {
			out = append(out, strings.Fields(readWord(path))...)
		}
		return nil // what is gone meanwhile has no processes
	})
	return out
}

// Pause stops all processes of the machine where they are: connections stay
// open, and nobody answers. Resume lets them go on.
func (m *Machine) Pause(ctx context.Context) error { return m.freeze(ctx, true) }

// Resume undoes Pause.
func (m *Machine) Resume(ctx context.Context) error { return m.freeze(ctx, false) }

func (m *Machine) freeze(ctx context.Context, on bool) error {
	return m.change(ctx, func() error {
		if m.pid() == 0 {
			return fmt.Errorf("machine %s is off", m.Name)
		}
		f, err := m.freezer()
		if err != nil {
			return err
		}
		return f.set(ctx, on)
	})
}

// thaw is Resume for what may not be frozen.
func (m *Machine) thaw(ctx context.Context) error {
	f, err := m.freezer()
	if err != nil || !f.isOn() {
		return nil // what cannot be frozen is not
	}
	return f.set(ctx, false)
}
