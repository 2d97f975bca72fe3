package testengine

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

//go:embed boot.sh
var bootScript string

// startLimit is generous: a start takes half a second, but machines that run many tests at once are slow.
const startLimit = 3 * time.Minute

// A machine is the namespaces of an engine, from a boot to a power cut, and its folder, which outlives both.
type machine struct {
	slot    *slot
	cache   string
	version Version
	options options
	args    []string // dockerd's, beyond those of every engine

	mu   sync.Mutex
	pid  int           // of init; 0 while it is off
	done chan struct{} // closed when init is gone
	err  error         // how init ended; set before done is closed
}

// boot starts the machine and waits until its engine answers.
func (m *machine) boot() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pid != 0 {
		return errors.New("the engine runs already")
	}
	cmd, log, err := m.command()
	if err != nil {
		return err
	}
	defer log.Close()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	done, started := make(chan struct{}), make(chan error)
	go func() {
		// The kernel ends a machine when the *thread* that started it ends, so that one is kept until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			m.err = cmd.Wait()
			close(done)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	m.pid, m.done = cmd.Process.Pid, done
	err = errors.Join(
		os.WriteFile(m.slot.file("pid"), []byte(strconv.Itoa(m.pid)), 0o644),
		m.slot.connect(m.pid))
	if err == nil {
		_, err = stdin.Write([]byte("go\n"))
	}
	if err == nil {
		err = m.answers()
	}
	if err != nil {
		m.cut()
		return fmt.Errorf("%s did not start: %w\n%s", m.version.name, err, m.logTail())
	}
	return nil
}

func (m *machine) command() (*exec.Cmd, *os.File, error) {
	s := m.slot
	log, err := os.OpenFile(s.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, err
	}
	dockerd, path := "/usr/sbin/dockerd", systemPath
	if m.version.built {
		dockerd, path = filepath.Join(m.cache, "dockerd"), m.cache+":"+systemPath
	}
	// A pid file or socket of before a power cut would be in the way of the next boot.
	os.Remove(s.file("dockerd.pid"))
	os.Remove(s.file("docker.sock"))
	args := []string{"-c", bootScript, "boot", s.dir, m.options.hostname, s.address(),
		"/usr/bin/docker-init", "--", dockerd,
		"--data-root", s.file("data"), "--host", "unix://" + s.file("docker.sock"), "--pidfile", s.file("dockerd.pid"),
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", s.cgroup(),
		"--config-file", s.file("daemon.json")}
	cmd := exec.Command("/bin/sh", append(append(args, m.args...), m.options.args...)...)
	// Nothing of the test's environment: no proxy, no DOCKER_ variables.
	cmd.Env = append([]string{"PATH=" + path, "HOME=" + s.dir}, m.options.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = namespaces()
	return cmd, log, nil
}

// answers waits until the engine does.
func (m *machine) answers() error {
	client := m.client()
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://engine/_ping", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-m.done:
			return fmt.Errorf("it ended: %v", m.err)
		case <-ctx.Done():
			return fmt.Errorf("no answer for %s", startLimit)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (m *machine) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", m.slot.file("docker.sock"))
	}}}
}

// cut is a power cut: the kernel ends all processes of a namespace with its init.
func (m *machine) cut() {
	if m.pid == 0 {
		return
	}
	signal(m.pid, sigKill)
	<-m.done
	m.pid = 0
	os.Remove(m.slot.file("pid"))
	// The link's other end dies with the network namespace, which the kernel takes apart in its own time.
	run("ip", "link", "delete", m.slot.link())
}

// stop ends the engine as an orderly shutdown does.
func (m *machine) stop() {
	if m.pid == 0 {
		return
	}
	signal(m.pid, sigTerm)
	select {
	case <-m.done:
	case <-time.After(2 * time.Minute):
	}
	m.cut()
}

// signalAll sends a signal to every process of the machine.
func (m *machine) signalAll(sig syscall.Signal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pid == 0 {
		return errors.New("the engine does not run")
	}
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", m.pid))
	if err != nil {
		return err
	}
	// Two rounds catch what was being started during the first.
	for range 2 {
		spaces, err := filepath.Glob("/proc/[0-9]*/ns/pid")
		if err != nil {
			return err
		}
		for _, path := range spaces {
			if space, err := os.Readlink(path); err != nil || space != own {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
			if err == nil {
				signal(pid, sig)
			}
		}
	}
	return nil
}

func (m *machine) log() string {
	text, _ := os.ReadFile(m.slot.file("log"))
	return string(text)
}

func (m *machine) logTail() string {
	text := m.log()
	return text[max(0, len(text)-3000):]
}

func (m *machine) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slot == nil {
		return nil
	}
	m.cut()
	err := m.slot.release()
	m.slot = nil
	return err
}
