package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// keysPath is the file of those who may log in as the machine's user.
func (m *Machine) keysPath() string { return path.Join("/", homeOf(m.User), ".ssh/authorized_keys") }

// authorized returns the lines of that file. It is in the overlay's upper layer,
// where it can be read whether the machine runs or not.
func (m *Machine) authorized() ([]string, error) {
	file := m.file("upper" + m.keysPath())
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !info.Mode().IsRegular() {
		return nil, nil // somebody removed it, or its folder: the layer says so with a device
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	var out []string
	for _, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out, err
}

// SetSSHKeys changes who may log in beside the machine's own key. Lines that
// somebody else added stay.
func (m *Machine) SetSSHKeys(ctx context.Context, keys []string) error {
	for i, k := range keys {
		if err := checkKey(k); err != nil {
			return fmt.Errorf("ssh key %d: %w", i+1, err)
		}
	}
	return m.change(ctx, func() error {
		lines, err := m.authorized()
		if err != nil {
			return err
		}
		was := slices.Clone(lines)
		lines = slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(m.SSHKeys, l) && !slices.Contains(keys, l) })
		for _, k := range keys {
			if !slices.Contains(lines, k) {
				lines = append(lines, k)
			}
		}
		if !slices.Equal(was, lines) {
			if err := m.writeKeys(ctx, strings.Join(lines, "\n")+"\n"); err != nil {
				return err
			}
		}
		m.SSHKeys = keys
		return m.save()
	})
}

// writeKeys replaces the file in one step: on the machine while it runs, as its
// layer must not be changed below it.
func (m *Machine) writeKeys(ctx context.Context, text string) error {
	pid := m.pid()
	if pid == 0 {
		l := layer{base: m.Base, upper: m.file("upper")}
		l.keys(m.User, text)
		return l.err()
	}
	const script = `umask 077; mkdir -p "${1%/*}" && cat >"$1.new" && chown "$2" "${1%/*}" "$1.new" && mv "$1.new" "$1"`
	cmd := exec.CommandContext(ctx, "/usr/bin/nsenter", "--target", strconv.Itoa(pid), "--mount", "--pid", "--",
		"/bin/sh", "-c", script, "keys", m.keysPath(), m.User+":")
	cmd.Env = []string{"PATH=" + systemPath}
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("machine %s: %s: %w: %s", m.Name, m.keysPath(), err, bytes.TrimSpace(out))
	}
	return nil
}
