package debian

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The Engine API on a TCP port of the machine, as daemon.json's hosts say it.

// engineAt is a port at which the engine's API is to be served.
type engineAt struct {
	host   string // as it was given
	port   int
	local  bool // for the machine itself only: nobody else gets there
	secure *tls.Config
}

// readEngineAt reads an address as "tcp://0.0.0.0:2376", and with the settings for
// TLS what it is served with.
func (s *System) readEngineAt(host string, given map[string]json.RawMessage) (at engineAt, err error) {
	at.host = host
	if at.secure, err = s.engineTLS(given); err != nil {
		return at, fmt.Errorf("invalid TLS configuration: %v", err)
	}
	port := "2375"
	if at.secure != nil {
		port = "2376"
	}
	text, ok := strings.CutPrefix(host, "tcp://")
	if !ok {
		return at, fmt.Errorf("failed to load listeners: swarmscript lab: not simulated: the Engine API at %s", host)
	}
	name, digits, err := net.SplitHostPort(text)
	if err != nil { // without a port
		name, digits = strings.Trim(text, "[]"), ""
	}
	number, err := strconv.ParseUint(cmp.Or(digits, port), 10, 16)
	if err != nil {
		return at, fmt.Errorf("failed to load listeners: invalid bind address (%s): invalid port", host)
	}
	at.port = int(number)
	ip, err := netip.ParseAddr(cmp.Or(name, "127.0.0.1"))
	switch {
	case name == "localhost" || err == nil && ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || err == nil && ip == netip.IPv6Loopback():
		at.local = true
	case name == s.cfg.Hostname || err == nil && (ip.IsUnspecified() || ip.String() == s.cfg.Address):
	case err != nil:
		return at, fmt.Errorf("failed to load listeners: listen tcp: lookup %s: no such host", name)
	default:
		return at, fmt.Errorf("failed to load listeners: listen tcp %s:%d: bind: cannot assign requested address", name, at.port)
	}
	return at, nil
}

// engineTLS is what daemon.json says of TLS, nil where it says nothing.
func (s *System) engineTLS(given map[string]json.RawMessage) (*tls.Config, error) {
	var with, verify bool
	ca, cert, key := "/root/.docker/ca.pem", "/root/.docker/cert.pem", "/root/.docker/key.pem"
	for name, into := range map[string]any{"tls": &with, "tlsverify": &verify, "tlscacert": &ca, "tlscert": &cert, "tlskey": &key} {
		if raw := given[name]; raw != nil {
			if err := json.Unmarshal(raw, into); err != nil {
				return nil, err // its type was checked before
			}
		}
	}
	if !with && !verify {
		return nil, nil
	}
	root := s.fs.Root()
	certPEM, err1 := root.ReadFile(cert)
	keyPEM, err2 := root.ReadFile(key)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err := cmp.Or(err1, err2, err); err != nil {
		return nil, fmt.Errorf("could not load X509 key pair (cert: %q, key: %q): %v. Make sure the key is not encrypted", cert, key, err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if !verify {
		return cfg, nil
	}
	text, err := root.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("could not read CA certificate %q: %v", ca, err)
	}
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("failed to append certificates from PEM file: %q", ca)
	}
	return cfg, nil
}

// engineListens serves the engine at its ports, until [System.engineCloses].
func (s *System) engineListens(all []engineAt) error {
	for _, at := range all {
		if at.local {
			continue
		}
		release, err := s.cfg.ServeDocker(at.port, at.secure)
		if err != nil {
			return fmt.Errorf("failed to load listeners: %w", err)
		}
		s.mu.Lock()
		s.engineAt = append(s.engineAt, release)
		s.mu.Unlock()
	}
	return nil
}

func (s *System) engineCloses() {
	s.mu.Lock()
	all := s.engineAt
	s.engineAt = nil
	s.mu.Unlock()
	for _, release := range all {
		release()
	}
}
