package local

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/sshkey"
)

// prepare makes the machine's folders, and writes what must be there before its
// first boot: the files of the overlay's upper layer, over those of the base.
func (m *Machine) prepare(ctx context.Context) error {
	for _, dir := range []string{"upper", "work", "root", "docker", "containerd"} {
		if err := os.Mkdir(m.file(dir), 0o755); err != nil {
			return err
		}
	}
	private, public, err := sshkey.New("swarmscript@" + m.Name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.KeyFile(), private, 0o600); err != nil {
		return err
	}
	hostPrivate, hostPublic, err := sshkey.Take(m.GivenHostKey, "root@"+m.Name)
	if err != nil {
		return err
	}
	m.HostKey = strings.TrimSpace(string(hostPublic))
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	l := layer{base: m.Base, upper: m.file("upper")}
	l.write("etc/hostname", m.Name+"\n", 0o644)
	l.write("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 "+m.Name+"\n::1 localhost ip6-localhost ip6-loopback\n", 0o644)
	l.write("etc/machine-id", hex.EncodeToString(id)+"\n", 0o444)
	l.write("etc/ssh/ssh_host_ed25519_key", string(hostPrivate), 0o600)
	l.write("etc/ssh/ssh_host_ed25519_key.pub", string(hostPublic), 0o644)
	// The keys of other kinds that it would look for are not there.
	l.write("etc/ssh/sshd_config.d/10-host-key.conf", "HostKey /etc/ssh/ssh_host_ed25519_key\n", 0o644)
	l.user(m.User, append([]string{string(public)}, m.SSHKeys...))
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.err()
}

// checkKey says what is wrong with a line of authorized_keys.
func checkKey(line string) error {
	_, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return errors.New("want the one line of a public key, such as the text of ~/.ssh/id_ed25519.pub")
	}
	return nil
}

// A layer is the upper one of an overlay that is not mounted. It collects its
// errors.
type layer struct {
	base, upper string
	errs        []error
}

// folder makes a folder with those above it, as the base has them: an upper
// folder's owner and mode are those that are seen.
func (l *layer) folder(path string) {
	if path == "." || exists(filepath.Join(l.upper, path)) {
		return
	}
	l.folder(filepath.Dir(path))
	mode := fs.FileMode(0o755)
	if info, err := os.Stat(filepath.Join(l.base, path)); err == nil {
		mode = info.Mode().Perm()
	}
	upper := filepath.Join(l.upper, path)
	l.errs = append(l.errs, os.Mkdir(upper, mode), os.Chmod(upper, mode))
}

func (l *layer) write(path, text string, mode fs.FileMode) {
	l.folder(filepath.Dir(path))
	upper := filepath.Join(l.upper, path)
	l.errs = append(l.errs, os.WriteFile(upper, []byte(text), mode), os.Chmod(upper, mode))
}

// add appends a line to a file of the base.
func (l *layer) add(path, line string) {
	old, err := os.ReadFile(filepath.Join(l.base, path))
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	info, err := os.Stat(filepath.Join(l.base, path))
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	l.write(path, string(old)+line+"\n", info.Mode().Perm())
	uid, gid := owner(info) // /etc/shadow is a group's of its own
	l.errs = append(l.errs, os.Lchown(filepath.Join(l.upper, path), uid, gid))
}

// userID is that of the first user of a Debian machine.
const userID = 1000

// user makes the user that the machine is reached as, with keys. One that is not
// root becomes it by sudo, without a password.
func (l *layer) user(name string, keys []string) {
	home := homeOf(name)
	if name != "root" {
		if passwd, err := os.ReadFile(filepath.Join(l.base, "etc/passwd")); err != nil || strings.Contains("\n"+string(passwd), "\n"+name+":") {
			l.errs = append(l.errs, cmp.Or(err, fmt.Errorf("user %s is one of the system's", name)))
			return
		}
		l.add("etc/passwd", fmt.Sprintf("%s:x:%d:%d::/%s:/bin/bash", name, userID, userID, home))
		l.add("etc/group", fmt.Sprintf("%s:x:%d:", name, userID))
		l.add("etc/shadow", name+":*:19000:0:99999:7:::")
		l.add("etc/gshadow", name+":!::")
		l.write("etc/sudoers.d/90-swarmscript", name+" ALL=(ALL) NOPASSWD: ALL\n", 0o440)
		for _, file := range []string{".bashrc", ".profile"} {
			text, err := os.ReadFile(filepath.Join(l.base, "etc/skel", file))
			l.errs = append(l.errs, err)
			l.write(home+"/"+file, string(text), 0o644)
		}
	}
	var text strings.Builder
	for _, key := range keys {
		text.WriteString(strings.TrimSpace(key) + "\n")
	}
	l.keys(name, text.String())
}

// homeOf is a user's home folder, without the slash before it.
func homeOf(user string) string {
	if user == "root" {
		return "root"
	}
	return "home/" + user
}

// keys writes the file of those who may log in as a user, whose home it then is.
func (l *layer) keys(user, text string) {
	home := homeOf(user)
	l.write(home+"/.ssh/authorized_keys", text, 0o600)
	l.errs = append(l.errs, os.Chmod(filepath.Join(l.upper, home, ".ssh"), 0o700))
	if user == "root" {
		return
	}
	for _, path := range []string{home, home + "/.bashrc", home + "/.profile", home + "/.ssh", home + "/.ssh/authorized_keys"} {
		if full := filepath.Join(l.upper, path); exists(full) {
			l.errs = append(l.errs, os.Lchown(full, userID, userID))
		}
	}
}

func (l *layer) err() error { return errors.Join(l.errs...) }

// writeResolver gives a machine that is off the name servers of the computer. A
// machine whose file is a link has another who cares for it.
func (m *Machine) writeResolver() error {
	path := filepath.Join(m.file("upper"), "etc/resolv.conf")
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil
	}
	var files []string
	// The second is where systemd's resolver, which answers at a loopback address
	// only, says whom it asks.
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		files = append(files, string(text))
	}
	return os.WriteFile(path, []byte(resolver(files...)), 0o644)
}

// publicServers are asked where the computer has none that a machine could reach,
// as Docker does it.
const publicServers = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"

// resolver returns the lines of the first resolv.conf whose name servers a machine
// can reach: those that are not the computer's own.
func resolver(files ...string) string {
	for _, text := range files {
		var out strings.Builder
		servers := 0
		for _, line := range strings.Split(text, "\n") {
			f := strings.Fields(line)
			if len(f) < 2 || f[0] != "nameserver" && f[0] != "search" && f[0] != "options" {
				continue
			}
			if f[0] == "nameserver" {
				if a, err := netip.ParseAddr(f[1]); err != nil || a.IsLoopback() {
					continue
				}
				servers++
			}
			out.WriteString(strings.Join(f, " ") + "\n")
		}
		if servers > 0 {
			return out.String()
		}
	}
	return publicServers
}
