package run

import (
	"errors"
	"path/filepath"
	"sync"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/remote"
)

// envSudo is where the password for sudo may be, for runs that nobody watches.
const envSudo = "SWARMSCRIPT_SUDO_PASSWORD"

// secrets are what a person is asked for, once in a run whatever the number of
// machines.
type secrets struct {
	ask func(prompt string) (string, error) // nil where nobody can be asked
	env func(string) (string, bool)

	ring     *remote.Keyring
	once     sync.Once
	password string
	err      error
}

func newSecrets(opts Options) *secrets {
	s := &secrets{ask: opts.Ask, env: opts.Env}
	if s.ask != nil {
		s.ring = remote.NewKeyring(s.ask)
	}
	return s
}

// sudo returns the password for sudo.
func (s *secrets) sudo() (string, error) {
	s.once.Do(func() {
		if s.env != nil {
			if v, ok := s.env(envSudo); ok {
				s.password = v
				return
			}
		}
		if s.ask == nil {
			s.err = errors.New("sudo = \"ask\" needs a terminal to ask at, or the password in " + envSudo)
			return
		}
		s.password, s.err = s.ask("password for sudo on the machines: ")
	})
	return s.password, s.err
}

// machine is the machine that a script means.
func (s *secrets) machine(h builtins.Host, root string) (remote.Machine, error) {
	if h.Key != "" && !filepath.IsAbs(h.Key) {
		h.Key = filepath.Join(root, h.Key)
	}
	m := remote.Machine{Address: h.Address, Port: h.Port, User: h.User, KeyFile: h.Key, Jump: h.Jump, Sudo: h.Sudo, AcceptNew: h.AcceptNew, Keyring: s.ring}
	if h.Sudo != "ask" {
		return m, nil
	}
	m.Sudo = "auto"
	var err error
	m.SudoPassword, err = s.sudo()
	return m, err
}
