package remote

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Keyring asks a person for the passphrases of private keys, and remembers the
// keys, so that many hosts with one key cost one question. It is safe for
// concurrent use.
type Keyring struct {
	ask func(prompt string) (string, error)

	mu     sync.Mutex // held while a person is asked: one question at a time
	opened map[string]ssh.Signer
	failed map[string]error
}

// NewKeyring returns a keyring that asks by a function.
func NewKeyring(ask func(prompt string) (secret string, err error)) *Keyring {
	return &Keyring{ask: ask, opened: map[string]ssh.Signer{}, failed: map[string]error{}}
}

// passphraseTries is how often a wrong passphrase is asked again, as ssh does.
const passphraseTries = 3

// open decrypts the key of a file. A key that could not be opened is not asked
// for again.
func (k *Keyring) open(path string, pem []byte) (ssh.Signer, error) {
	if k == nil {
		return nil, fmt.Errorf("the key %s has a passphrase, and nobody can be asked for it (add it to an agent: ssh-add %s)", path, path)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.opened[path]; s != nil {
		return s, nil
	}
	if err := k.failed[path]; err != nil {
		return nil, err
	}
	s, err := k.decrypt(path, pem)
	if err != nil {
		k.failed[path] = err
		return nil, err
	}
	k.opened[path] = s
	return s, nil
}

func (k *Keyring) decrypt(path string, pem []byte) (ssh.Signer, error) {
	for range passphraseTries {
		phrase, err := k.ask(fmt.Sprintf("passphrase of %s: ", path))
		if err != nil {
			return nil, fmt.Errorf("the passphrase of the key %s: %w", path, err)
		}
		s, err := ssh.ParsePrivateKeyWithPassphrase(pem, []byte(phrase))
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, x509.IncorrectPasswordError) {
			return nil, fmt.Errorf("the key %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("the passphrase of the key %s was wrong %d times", path, passphraseTries)
}

// readKey returns the key of a file. One with a passphrase is decrypted when
// it is to sign, which is after the server said that it would take it.
func readKey(path string, k *Keyring) (ssh.Signer, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := ssh.ParsePrivateKey(pem)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return s, nil
	case !errors.As(err, &locked):
		return nil, fmt.Errorf("there is no private key in %s: %w", path, err)
	}
	public := locked.PublicKey
	if public == nil { // an old format, which hides it
		if public, err = readPublic(path + ".pub"); err != nil {
			return k.open(path, pem)
		}
	}
	return &lockedKey{public: public, open: func() (ssh.Signer, error) { return k.open(path, pem) }}, nil
}

// readPublic reads a file such as id_ed25519.pub.
func readPublic(path string) (ssh.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	return key, err
}

// lockedKey is a key whose passphrase is asked for when it is to sign.
type lockedKey struct {
	public ssh.PublicKey
	open   func() (ssh.Signer, error)
	asking func() // a person is about to be asked
	failed func(error)
}

// PublicKey implements [ssh.Signer].
func (l *lockedKey) PublicKey() ssh.PublicKey { return l.public }

// Sign implements [ssh.Signer].
func (l *lockedKey) Sign(r io.Reader, data []byte) (*ssh.Signature, error) {
	return l.SignWithAlgorithm(r, data, "")
}

// SignWithAlgorithm implements [ssh.AlgorithmSigner].
func (l *lockedKey) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	l.asking()
	s, err := l.open()
	if err != nil {
		l.failed(err)
		return nil, err
	}
	if a, ok := s.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return a.SignWithAlgorithm(rand.Reader, data, algorithm)
	}
	return s.Sign(rand.Reader, data)
}
