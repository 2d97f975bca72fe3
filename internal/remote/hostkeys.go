package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys says which keys a host may show.
type hostKeys struct {
	name      string   // what known_hosts calls it: host, or [host]:port
	host      string   // the name that a certificate is for
	alias     string   // what the user calls it
	given     []string // lines of authorized_keys; they alone count
	files     []string // of known_hosts; a new key goes into the first
	acceptNew bool
}

// keySet is what is known of one host's keys, read for one login.
type keySet struct {
	of      *hostKeys
	known   []knownKey
	revoked []knownKey
	err     error // what check said; the library hides it in others
}

// knownKey is a line of known_hosts, or a key that was given.
type knownKey struct {
	key       ssh.PublicKey
	authority bool // it signs hosts' certificates
	loose     bool // known without the port: another key is a new one, not a changed one
	file      string
	line      int // from 1
}

// load reads the files.
func (h *hostKeys) load() (*keySet, error) {
	s := &keySet{of: h}
	for _, line := range h.given {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("the host key %q that was given cannot be read: want a line such as \"ssh-ed25519 AAAA...\"", line)
		}
		s.known = append(s.known, knownKey{key: key})
	}
	if h.given != nil {
		return s, nil
	}
	for _, file := range h.files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the known hosts: %w", err)
		}
		s.add(file, text, h.name, false)
		if host, _, err := net.SplitHostPort(h.name); err == nil {
			s.add(file, text, host, true)
		}
	}
	return s, nil
}

// add takes what a file says of a name.
func (s *keySet) add(file string, text []byte, name string, loose bool) {
	known, revoked := parseKnown(text, name)
	for _, k := range known {
		k.file, k.loose = file, loose
		s.known = append(s.known, k)
	}
	for _, k := range revoked {
		k.file = file
		s.revoked = append(s.revoked, k)
	}
}

// parseKnown returns the lines of known_hosts that are about a name. As ssh
// does, it passes over lines that it cannot read.
func parseKnown(text []byte, name string) (known, revoked []knownKey) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil || !matchHosts(hosts, name) {
			continue
		}
		k := knownKey{key: key, line: n, authority: marker == "cert-authority"}
		switch marker {
		case "", "cert-authority":
			known = append(known, k)
		case "revoked":
			revoked = append(revoked, k)
		}
	}
	return known, revoked
}

// matchHosts compares a name with the first field of a line: patterns, of
// which one may forbid what others allow, or a hash.
func matchHosts(hosts []string, name string) bool {
	found := false
	for _, pattern := range hosts {
		if strings.HasPrefix(pattern, "|") {
			found = found || hashed(pattern, name)
			continue
		}
		pattern, not := strings.CutPrefix(strings.ToLower(pattern), "!")
		if pattern == "" || !wildcard(pattern, name) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// algorithms are those of the keys that are known, so that the server shows
// one of them: nil, for all, where none is.
func (s *keySet) algorithms() []string {
	var plain, certs []string
	strict := slices.ContainsFunc(s.known, func(k knownKey) bool { return !k.authority && !k.loose })
	for _, k := range s.known {
		if k.authority {
			certs = allCertificates
			continue
		}
		if strict && k.loose {
			continue
		}
		for _, a := range algorithmsOf(k.key.Type()) {
			if !slices.Contains(plain, a) {
				plain = append(plain, a)
			}
		}
	}
	all := append(slices.Clone(certs), plain...)
	if len(all) == 0 || strict {
		return all
	}
	for _, a := range allPlain {
		if !slices.Contains(plain, a) {
			all = append(all, a)
		}
	}
	return all
}

var (
	allPlain = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	// allCertificates are those of any key: an authority signs all kinds.
	allCertificates = []string{ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01, ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01}
)

// algorithmsOf are the signatures that a kind of key makes.
func algorithmsOf(kind string) []string {
	if kind == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{kind}
}

// check is the [ssh.HostKeyCallback].
func (s *keySet) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	s.err = s.judge(key)
	return s.err
}

func (s *keySet) judge(key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		err := s.certificate(cert)
		if err == nil || !errors.Is(err, errNoAuthority) {
			return err
		}
		key = cert.Key // as ssh does, for a certificate of somebody unknown
	}
	if k := among(s.revoked, key, false); k != nil {
		return &hostKeyError{set: s, shown: key, why: fmt.Sprintf("its host key is revoked at %s:%d", k.file, k.line), hint: "do not use this machine before you know why"}
	}
	if among(s.known, key, false) != nil {
		return nil
	}
	plain := slices.DeleteFunc(slices.Clone(s.known), func(k knownKey) bool { return k.authority || k.loose })
	if len(plain) > 0 {
		return s.changed(key, plain)
	}
	if !s.of.acceptNew {
		return s.unknown(key)
	}
	return s.remember(key)
}

var errNoAuthority = errors.New("signed by nobody who is known")

// certificate checks one that a host shows.
func (s *keySet) certificate(cert *ssh.Certificate) error {
	if among(s.known, cert.SignatureKey, true) == nil {
		return errNoAuthority
	}
	checker := ssh.CertChecker{
		IsHostAuthority: func(ssh.PublicKey, string) bool { return true },
		IsRevoked: func(c *ssh.Certificate) bool {
			return among(s.revoked, c.Key, false) != nil || among(s.revoked, c.SignatureKey, false) != nil
		},
	}
	if err := checker.CheckHostKey(net.JoinHostPort(s.of.host, "22"), nil, cert); err != nil {
		return &hostKeyError{set: s, shown: cert, why: "its host certificate is not valid: " + strings.TrimPrefix(err.Error(), "ssh: "), hint: "renew it on the host"}
	}
	return nil
}

// among finds a key in a list.
func among(list []knownKey, key ssh.PublicKey, authority bool) *knownKey {
	for i, k := range list {
		if k.authority == authority && bytes.Equal(k.key.Marshal(), key.Marshal()) {
			return &list[i]
		}
	}
	return nil
}

// changed says that a host shows another key than the one that is known.
func (s *keySet) changed(key ssh.PublicKey, want []knownKey) error {
	e := &hostKeyError{set: s, shown: key}
	if s.of.given != nil {
		e.why = fmt.Sprintf("its host key is %s, not the %s that it was given when it was made", fingerprint(key), fingerprint(want[0].key))
		e.hint = s.forget()
		return e
	}
	k := want[0]
	e.why = fmt.Sprintf("its host key has changed: it shows %s, and %s:%d knows %s", fingerprint(key), k.file, k.line, fingerprint(k.key))
	e.hint = s.forget()
	return e
}

// forget says how a key that is known is forgotten.
func (s *keySet) forget() string {
	const warn = "another machine may be in its place"
	if s.of.given != nil {
		return warn
	}
	return fmt.Sprintf("%s; if it was made anew, forget the old key: ssh-keygen -f %s -R '%s'", warn, s.known[0].file, s.of.name)
}

func (s *keySet) unknown(key ssh.PublicKey) error {
	if s.of.given != nil {
		return &hostKeyError{set: s, shown: key, why: "no host key was given for it", hint: "give its public keys"}
	}
	return &hostKeyError{set: s, shown: key, why: fmt.Sprintf("its host key is not known: it shows %s", fingerprint(key)),
		hint: fmt.Sprintf("compare that with ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub on the machine, and accept it: accept_new = True, or ssh %s", shortKind(key), s.of.ssh())}
}

// ssh is the host as arguments of ssh.
func (h *hostKeys) ssh() string {
	if h.alias != h.host {
		return h.alias
	}
	if host, port, err := net.SplitHostPort(h.name); err == nil {
		return "-p " + port + " " + host
	}
	return h.name
}

// remember appends a new key to the first file, under a hash of the host's
// name.
func (s *keySet) remember(key ssh.PublicKey) error {
	if len(s.of.files) == 0 || os.DevNull == s.of.files[0] {
		return nil
	}
	path := s.of.files[0]
	fail := func(err error) error { return fmt.Errorf("the new host key cannot be remembered: %w", err) }
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	line := knownhosts.HashHostname(s.of.name) + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + "\n"
	if end, err := f.Stat(); err == nil && end.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, end.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	// One write: several programs may append at once.
	if _, err := f.WriteString(line); err != nil {
		return fail(err)
	}
	return nil
}

// explain puts what check said before what the library says.
func (s *keySet) explain(err error) error {
	if s.err != nil {
		return s.err
	}
	if strings.Contains(err.Error(), "no common algorithm for host key") && len(s.known) > 0 {
		return &hostKeyError{set: s, why: fmt.Sprintf("it has no host key of the kind that %s knows (%s)", s.source(), s.known[0].key.Type()),
			hint: s.forget()}
	}
	return err
}

func (s *keySet) source() string {
	if k := s.known[0]; k.file != "" {
		return fmt.Sprintf("%s:%d", k.file, k.line)
	}
	return "the script"
}

// hostKeyError is a host whose key was not accepted.
type hostKeyError struct {
	set       *keySet
	shown     ssh.PublicKey
	why, hint string
}

func (e *hostKeyError) Error() string { return e.why }

func fingerprint(k ssh.PublicKey) string { return k.Type() + " " + ssh.FingerprintSHA256(k) }

// shortKind is a key's kind as in names of files: ed25519.
func shortKind(k ssh.PublicKey) string {
	switch t := k.Type(); {
	case strings.HasPrefix(t, "ecdsa"):
		return "ecdsa"
	default:
		return strings.TrimPrefix(t, "ssh-")
	}
}
