package remote

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// resolve asks ~/.ssh/config what m leaves open, for the host and for its jump
// hosts.
func (m Machine) resolve() (*settings, error) {
	if m.Address == "" {
		return nil, errors.New("it has no address")
	}
	switch m.Sudo {
	case "", "auto", "never":
	default:
		return nil, fmt.Errorf("unknown sudo %q, want auto or never", m.Sudo)
	}
	return m.settings(0)
}

// maxHops bounds jump hosts that jump through each other.
const maxHops = 8

// settings are those of a host, to which depth others jumped.
func (m Machine) settings(depth int) (*settings, error) {
	if depth > maxHops {
		return nil, fmt.Errorf("more than %d jump hosts: do they jump through each other?", maxHops)
	}
	c, err := lookupConfig(m.Address, m.User, m.Port)
	if err != nil {
		return nil, err
	}
	s := &settings{alias: m.Address, address: c.hostName, port: c.port, user: c.user, timeout: dialTimeout}
	if c.connectTimeout > 0 {
		s.timeout = c.connectTimeout
	}
	if s.auth, err = m.auth(c); err != nil {
		return nil, err
	}
	s.keys = m.hostKeys(c)
	jump := m.Jump
	if jump == "" {
		jump = c.proxyJump
	}
	if jump == "" || strings.EqualFold(jump, "none") {
		if m.Jump == "" {
			s.command = c.proxyCommand
		}
		return s, nil
	}
	for i, spec := range strings.Split(jump, ",") {
		hop, err := parseJump(strings.TrimSpace(spec))
		if err != nil {
			return nil, err
		}
		hop.Keyring, hop.AcceptNew = m.Keyring, m.AcceptNew
		if i > 0 {
			hop.Jump = "none" // as ssh -J: the list itself says how
		}
		hs, err := hop.settings(depth + 1)
		if err != nil {
			return nil, fmt.Errorf("the jump host %s: %w", hop.Address, err)
		}
		hs.auth.prefer(s.auth, len(m.Key) > 0 || m.KeyFile != "")
		s.hops = append(append(s.hops, hs.hops...), hs)
		hs.hops = nil
	}
	return s, nil
}

// parseJump reads one of ssh -J's: [user@]host[:port], or ssh://...
func parseJump(spec string) (Machine, error) {
	bad := func() (Machine, error) {
		return Machine{}, fmt.Errorf("the jump host %q: want [user@]host[:port]", spec)
	}
	rest := strings.TrimSuffix(strings.TrimPrefix(spec, "ssh://"), "/")
	var m Machine
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		m.User, rest = rest[:i], rest[i+1:]
		if m.User == "" || strings.ContainsAny(m.User, ":/ ") {
			return bad()
		}
	}
	m.Address = rest
	if host, port, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return bad()
		}
		m.Address, m.Port = host, n
	} else if strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]") {
		m.Address = rest[1 : len(rest)-1]
	}
	if m.Address == "" || strings.ContainsAny(m.Address, " /[]@") || strings.HasPrefix(m.Address, "-") {
		return bad()
	}
	return m, nil
}

// auth says which keys are tried.
func (m Machine) auth(c *hostConfig) (*auth, error) {
	a := &auth{agent: c.agent, only: c.identitiesOnly, keyring: m.Keyring}
	switch {
	case len(m.Key) > 0:
		key, err := ssh.ParsePrivateKey(m.Key)
		if err != nil {
			return nil, fmt.Errorf("the private key that was given cannot be read: %w", err)
		}
		a.keys, a.only = []ssh.Signer{key}, true
	case m.KeyFile != "":
		path, err := untilde(m.KeyFile)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("the private key: %w", err)
		}
		a.files, a.given, a.only = []string{path}, true, true
	case c.identitiesSet:
		a.files, a.given = c.identityFiles, true
	default:
		for _, name := range []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"} { // ssh's order
			if path, err := untilde("~/.ssh/" + name); err == nil {
				a.files = append(a.files, path)
			}
		}
	}
	return a, nil
}

// hostKeys says which host keys are taken.
func (m Machine) hostKeys(c *hostConfig) *hostKeys {
	k := &hostKeys{host: c.hostName, alias: m.Address, given: m.HostKeys, files: c.knownHosts, acceptNew: m.AcceptNew || c.acceptNew}
	if c.hostKeyAlias != "" {
		k.host, k.name = c.hostKeyAlias, strings.ToLower(c.hostKeyAlias)
		return k
	}
	k.name = strings.ToLower(c.hostName)
	if c.port != 22 {
		k.name = "[" + k.name + "]:" + strconv.Itoa(c.port)
	}
	return k
}

// untilde puts the home folder for a leading ~/.
func untilde(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, rest), nil
}

// localUser is who runs this program.
func localUser() string {
	if u, err := user.Current(); err == nil {
		// Windows puts the domain before it.
		return u.Username[strings.LastIndex(u.Username, `\`)+1:]
	}
	return os.Getenv("USER")
}
