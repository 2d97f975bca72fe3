package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// auth says with which keys to log in.
type auth struct {
	keys    []ssh.Signer // given as such; they are tried first
	files   []string     // private keys, in the order in which they are tried
	given   bool         // files were asked for, not found by their usual names
	only    bool         // an agent's other keys are not tried
	agent   string       // its socket; "" for none
	keyring *Keyring
}

// attempt is one login.
type attempt struct {
	auth   *auth
	asking func() // a person is about to be asked

	conn    net.Conn // to the agent
	keys    []string // those that were offered, for a person
	allowed []string // what the server takes
	err     error    // why there is nothing to offer
}

// prefer tries the keys that were given for the host behind a jump host there
// too, before what the jump host has of its own.
func (a *auth) prefer(behind *auth, given bool) {
	if given {
		a.keys = append(slices.Clone(behind.keys), a.keys...)
		a.files = append(slices.Clone(behind.files), a.files...)
	}
}

func (a *auth) begin() *attempt { return &attempt{auth: a} }

// end lets go of the agent.
func (t *attempt) end() {
	if t.conn != nil {
		t.conn.Close()
	}
}

// offered notes what the server takes.
func (t *attempt) offered(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	t.allowed = c.AllowedMethods
	return nil, nil
}

// signers returns the keys in the order in which ssh tries them: those of the
// agent that were asked for, its others, and the files that it does not hold.
// Servers hang up after about six.
func (t *attempt) signers() ([]ssh.Signer, error) {
	var first, rest []ssh.Signer
	for _, s := range t.auth.keys {
		t.note("the key that was given", s)
		first = append(first, s)
	}
	var held []ssh.Signer
	var agentErr error
	if len(t.auth.files) > 0 || !t.auth.only {
		held, agentErr = t.agentKeys()
	}
	for _, path := range t.auth.files {
		s, err := readKey(path, t.auth.keyring)
		if errors.Is(err, fs.ErrNotExist) {
			// The private half may be with the agent alone.
			public, perr := readPublic(path + ".pub")
			if i := find(held, public); perr == nil && i >= 0 {
				first, held = append(first, held[i]), slices.Delete(held, i, i+1)
				t.note(path+" (agent)", first[len(first)-1])
				continue
			}
		}
		if err != nil {
			if t.auth.given || !errors.Is(err, fs.ErrNotExist) {
				t.keys = append(t.keys, err.Error())
			}
			continue
		}
		if i := find(held, s.PublicKey()); i >= 0 {
			first, held = append(first, held[i]), slices.Delete(held, i, i+1)
			t.note(path+" (agent)", s)
			continue
		}
		if l, ok := s.(*lockedKey); ok {
			l.asking, l.failed = t.asking, func(err error) { t.err = err }
		}
		t.note(path, s)
		rest = append(rest, withCertificate(path, s)...)
	}
	if !t.auth.only {
		for _, s := range held {
			t.note("agent", s)
		}
		first = append(first, held...)
	}
	all := append(first, rest...)
	if len(all) == 0 {
		t.err = t.none(agentErr)
		return nil, t.err
	}
	return all, nil
}

// none says why there is no key.
func (t *attempt) none(agentErr error) error {
	switch {
	case len(t.keys) > 0:
		return &authError{"there is no key to log in with: " + strings.Join(t.keys, "; "), "check the key's path"}
	case agentErr != nil:
		return &authError{fmt.Sprintf("there is no key to log in with: no file such as ~/.ssh/id_ed25519, and the agent does not answer: %v", agentErr), "ssh-add -l shows the agent's keys"}
	}
	return &authError{"there is no key to log in with: no file such as ~/.ssh/id_ed25519, and no agent (SSH_AUTH_SOCK) with a key", "make one with ssh-keygen, or give one with key="}
}

// note keeps a key's name for an error.
func (t *attempt) note(where string, s ssh.Signer) {
	t.keys = append(t.keys, fmt.Sprintf("%s (%s %s)", where, s.PublicKey().Type(), ssh.FingerprintSHA256(s.PublicKey())))
}

// explain says why the server did not let us in, where that is what failed.
func (t *attempt) explain(err error) error {
	if err == nil || !strings.Contains(err.Error(), "unable to authenticate") && !strings.Contains(err.Error(), "Too many authentication failures") {
		return err
	}
	if t.err != nil {
		return t.err
	}
	if strings.Contains(err.Error(), "Too many authentication failures") {
		return &authError{fmt.Sprintf("the server hung up before it saw all of our %d keys", len(t.keys)), "say which one: key=, or IdentityFile and IdentitiesOnly in ~/.ssh/config"}
	}
	if len(t.allowed) > 0 && !slices.Contains(t.allowed, "publickey") {
		return &authError{fmt.Sprintf("the server takes no keys, only %s", strings.Join(t.allowed, ", ")), "allow PubkeyAuthentication there"}
	}
	return &authError{fmt.Sprintf("the server took none of our keys: %s", strings.Join(t.keys, ", ")), "add one to ~/.ssh/authorized_keys there, and check the user"}
}

// agentKeys returns the keys that the agent holds.
func (t *attempt) agentKeys() ([]ssh.Signer, error) {
	if t.auth.agent == "" {
		return nil, nil
	}
	conn, err := net.Dial("unix", t.auth.agent)
	if err != nil {
		return nil, err
	}
	t.conn = conn
	t.asking() // it may ask for a touch or a confirmation
	return agent.NewClient(conn).Signers()
}

// find returns where a key is among an agent's.
func find(held []ssh.Signer, key ssh.PublicKey) int {
	if key == nil {
		return -1
	}
	return slices.IndexFunc(held, func(s ssh.Signer) bool { return bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) })
}

// withCertificate puts the certificate beside a key in front of it.
func withCertificate(path string, s ssh.Signer) []ssh.Signer {
	if public, err := readPublic(path + "-cert.pub"); err == nil {
		if cert, ok := public.(*ssh.Certificate); ok {
			if signer, err := ssh.NewCertSigner(cert, s); err == nil {
				return []ssh.Signer{signer, s}
			}
		}
	}
	return []ssh.Signer{s}
}

// authError is a login that was refused: what was wrong, and what to do.
type authError struct{ why, hint string }

func (e *authError) Error() string { return e.why }
