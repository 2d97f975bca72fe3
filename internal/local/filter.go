package local

import (
	"context"
	"net"
	"os"
	"strconv"

	"github.com/swarmscript/swarmscript/internal/packetfilter"
)

// sshPort is where a machine's SSH server listens.
const sshPort = "22"

// SetFilter puts a filter around the machine in place of the one that is there, at
// once and whenever it boots. It is in the machine's network, so that it goes with
// it, and beside the machine's own rules: who is root there can take it away.
func (m *Machine) SetFilter(ctx context.Context, f packetfilter.Filter) error {
	return m.change(ctx, func() error {
		m.Filter = &f
		if err := m.save(); err != nil || m.pid() == 0 {
			return err
		}
		return m.enclose(ctx)
	})
}

// enclose makes what Filter says true of a machine that runs, or is about to. All
// rules change in one step.
func (m *Machine) enclose(ctx context.Context) error {
	if m.Filter == nil {
		return nil
	}
	file := m.file("filter.rules")
	if err := os.WriteFile(file, []byte(m.Filter.Restore()), 0o600); err != nil {
		return err
	}
	if _, err := m.inside(ctx, "iptables-restore", "--wait", "--noflush", file); err != nil {
		return err
	}
	for _, jump := range [][]string{
		{"PREROUTING", "-i", "eth0", "-j", packetfilter.InChain},
		{"POSTROUTING", "-o", "eth0", "-j", packetfilter.OutChain},
	} {
		table := []string{"iptables", "--wait", "--table", "mangle"}
		if _, err := m.inside(ctx, append(append(table, "--check"), jump...)...); err == nil {
			continue
		}
		if _, err := m.inside(ctx, append(append(table, "--insert"), jump...)...); err != nil {
			return err
		}
	}
	return nil
}

// inside runs a program of the computer in the network of a machine that runs.
func (m *Machine) inside(ctx context.Context, command ...string) (string, error) {
	return run(ctx, "nsenter", append([]string{"--target", strconv.Itoa(m.pid()), "--net"}, command...)...)
}

// DialSSH connects to the machine's SSH server. Where there is a filter around the
// machine, it connects from within: for whoever runs the machine, as a console
// would be.
func (m *Machine) DialSSH(ctx context.Context) (net.Conn, error) {
	dial := func() (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(m.Address.String(), sshPort))
	}
	if pid := m.pid(); m.Filter != nil && pid != 0 {
		return inNetwork(pid, dial)
	}
	return dial()
}
