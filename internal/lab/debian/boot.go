package debian

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/crypto/ssh"
)

// errOff is why what ran on a machine ended.
var errOff = errors.New("the machine was switched off")

// Boot switches the machine on: what was in memory is gone, and the units that are
// enabled start. It returns when they have.
func (s *System) Boot(ctx context.Context) error {
	s.power()
	root := s.fs.Root()
	for _, dir := range []string{"/run", "/tmp"} {
		list, err := root.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := root.RemoveAll(path.Join(dir, e.Name)); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(root.MkdirAll("/run/lock", 0o755), root.MkdirAll("/run/sshd", 0o755)); err != nil {
		return err
	}
	return s.startUnits(ctx)
}

// Shutdown switches the machine off as it is meant to be: units are stopped, then
// all that runs ends.
func (s *System) Shutdown(ctx context.Context) error {
	err := s.stopUnits(ctx)
	s.PowerOff()
	return err
}

// PowerOff ends everything that runs at once, as a power cut does.
func (s *System) PowerOff() {
	s.units.drop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shutdown(errOff)
	clear(s.ports)
}

// Close is PowerOff that waits until all has ended that runs in the background. No
// command may be begun any more.
func (s *System) Close() {
	s.PowerOff()
	s.jobs.Wait()
}

// firstBoot makes a machine out of its image.
func (s *System) firstBoot() error {
	root := s.fs.Root()
	id := make([]byte, 16)
	rand.Read(id)
	name := s.cfg.Hostname
	err := errors.Join(
		root.WriteFile("/etc/hostname", []byte(name+"\n"), 0o644),
		root.WriteFile("/etc/hosts", fmt.Appendf(nil, "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n", name), 0o644),
		s.hostKey(),
		s.firstAccount(),
	)
	if err != nil {
		return err
	}
	// This one is last: it says that all was done.
	return root.WriteFile("/etc/machine-id", []byte(hex.EncodeToString(id)+"\n"), 0o444)
}

func (s *System) hostKey() error {
	if len(s.cfg.HostKey) == 0 {
		return nil
	}
	key, err := ssh.ParsePrivateKey(s.cfg.HostKey)
	if err != nil {
		return fmt.Errorf("the host key: %w", err)
	}
	kind := strings.TrimPrefix(key.PublicKey().Type(), "ssh-")
	if strings.HasPrefix(kind, "ecdsa") {
		kind = "ecdsa"
	}
	file := "/etc/ssh/ssh_host_" + kind + "_key"
	root := s.fs.Root()
	return errors.Join(root.WriteFile(file, s.cfg.HostKey, 0o600), root.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(key.PublicKey()), 0o644))
}

// firstAccount makes the account that the machine is reached by.
func (s *System) firstAccount() error {
	root := s.fs.Root()
	who := Root
	if name := s.cfg.User; name != "" && name != "root" {
		who = Account{Name: name, UID: 1000, GID: 1000, Home: "/home/" + name, Shell: "/bin/bash"}
		err := errors.Join(
			s.appendLine("/etc/passwd", fmt.Sprintf("%s:x:1000:1000::%s:/bin/bash", name, who.Home)),
			s.appendLine("/etc/group", name+":x:1000:"),
			s.appendLine("/etc/shadow", name+":!:20400:0:99999:7:::"),
			s.addMember("sudo", name),
			root.WriteFile("/etc/sudoers.d/90-cloud-init-users", []byte(name+" ALL=(ALL) NOPASSWD:ALL\n"), 0o440),
			s.makeHome(who),
		)
		if err != nil {
			return err
		}
	}
	if len(s.cfg.AuthorizedKeys) == 0 {
		return nil
	}
	dir := who.Home + "/.ssh"
	keys := strings.TrimSuffix(strings.Join(s.cfg.AuthorizedKeys, "\n"), "\n") + "\n"
	return errors.Join(root.MkdirAll(dir, 0o700), root.WriteFile(dir+"/authorized_keys", []byte(keys), 0o600),
		root.Chown(dir, int(who.UID), int(who.GID), true), root.Chown(dir+"/authorized_keys", int(who.UID), int(who.GID), true))
}

// makeHome makes an account's home folder from /etc/skel.
func (s *System) makeHome(who Account) error {
	root := s.fs.Root()
	if err := root.MkdirAll(who.Home, 0o700); err != nil {
		return err
	}
	if err := errors.Join(root.Chmod(who.Home, 0o700), root.Chown(who.Home, int(who.UID), int(who.GID), true)); err != nil {
		return err
	}
	list, err := root.ReadDir("/etc/skel")
	if err != nil {
		return err
	}
	for _, e := range list {
		data, err := root.ReadFile("/etc/skel/" + e.Name)
		if err != nil {
			return err
		}
		to := who.Home + "/" + e.Name
		if err := errors.Join(root.WriteFile(to, data, 0o644), root.Chown(to, int(who.UID), int(who.GID), true)); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) appendLine(file, line string) error {
	root := s.fs.Root()
	data, err := root.ReadFile(file)
	if err != nil {
		return err
	}
	return root.WriteFile(file, append(data, line+"\n"...), 0o644)
}

// addMember puts an account into a group.
func (s *System) addMember(groupName, name string) error {
	root := s.fs.Root()
	data, err := root.ReadFile("/etc/group")
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, groupName+":") {
			continue
		}
		if strings.HasSuffix(line, ":") {
			lines[i] = line + name
		} else {
			lines[i] = line + "," + name
		}
	}
	return root.WriteFile("/etc/group", []byte(strings.Join(lines, "\n")), 0o644)
}
