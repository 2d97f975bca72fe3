package host

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/certificate"
)

// tlsDir is the folder of the engine's certificates on the machine. The keys in
// it are root's alone.
const tlsDir = "/etc/docker/tls"

// caLife is how long an authority that we make is good.
const caLife = 10 * 365 * 24 * time.Hour

// readCert reads a certificate in PEM format, nil where there is none.
func readCert(text []byte) *x509.Certificate {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return c
}

// namesIn are the names and addresses of a certificate, sorted.
func namesIn(c *x509.Certificate) []string {
	out := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	slices.Sort(out)
	return out
}

// lacks are the names that a certificate is wanted for and does not have.
func lacks(c *x509.Certificate, names []string) (out []string) {
	have := namesIn(c)
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			n = ip.String()
		}
		if !slices.Contains(have, n) {
			out = append(out, n)
		}
	}
	return out
}

// due says why a certificate must be renewed, "" where it is good: it is another
// authority's, or less than a third of its life is left.
func due(what string, c, ca *x509.Certificate, now time.Time) string {
	switch left := c.NotAfter.Sub(now); {
	case !bytes.Equal(c.AuthorityKeyId, ca.SubjectKeyId) || c.CheckSignatureFrom(ca) != nil:
		return what + " is not signed by the authority"
	case left <= 0:
		return fmt.Sprintf("%s expired on %s", what, c.NotAfter.UTC().Format("2006-01-02"))
	case c.NotBefore.After(now):
		return fmt.Sprintf("%s is not good before %s", what, c.NotBefore.UTC().Format("2006-01-02"))
	case left < c.NotAfter.Sub(c.NotBefore)/3 && c.NotAfter.Before(ca.NotAfter):
		return fmt.Sprintf("%s expires on %s", what, c.NotAfter.UTC().Format("2006-01-02"))
	}
	return ""
}

// certs are the engine's certificates as they are on the machine.
type certs struct {
	ca, server, client []byte // in PEM format
	ownCA              bool   // the authority's key is on the machine
}

// stale says why the certificates must be made anew, "" where they are good.
// Given is the authority that the script gives, "" for the machine's own.
func (t certs) stale(given string, names []string, now time.Time) string {
	ca, server, client := readCert(t.ca), readCert(t.server), readCert(t.client)
	switch {
	case ca == nil || server == nil || client == nil:
		return "certificates are missing"
	case given == "" && !t.ownCA:
		return "the authority's key is not on the machine"
	case given == "" && ca.NotAfter.Sub(now) < ca.NotAfter.Sub(ca.NotBefore)/3:
		return fmt.Sprintf("the authority's certificate expires on %s", ca.NotAfter.UTC().Format("2006-01-02"))
	}
	if why := due("the server's certificate", server, ca, now); why != "" {
		return why
	}
	if why := due("the client's certificate", client, ca, now); why != "" {
		return why
	}
	if missing := lacks(server, names); len(missing) > 0 {
		return "the server's certificate is not for " + strings.Join(missing, ", ")
	}
	return ""
}

// issue makes what is to be in tlsDir. A machine's own authority is kept while it
// is good: clients trust it.
func issue(name string, spec *TLSSpec, was certs, ownKey []byte, names []string, now time.Time) ([]putFile, error) {
	var ca *certificate.Authority
	var caKey []byte
	var err error
	switch given := spec.CA != nil; {
	case given:
		ca, err = certificate.Read([]byte(*spec.CA), []byte(*spec.CAKey))
	case len(ownKey) > 0:
		caKey = ownKey
		if ca, err = certificate.Read(was.ca, ownKey); err == nil && ca.Cert.NotAfter.Sub(now) >= caLife/3 {
			break
		}
		fallthrough
	default:
		ca, caKey, err = certificate.New("Docker on "+name, now, caLife)
	}
	if err != nil {
		return nil, err
	}
	server, serverKey, err := ca.Sign(certificate.Server(name, names...), now, spec.Lifetime)
	if err != nil {
		return nil, err
	}
	client, clientKey, err := ca.Sign(certificate.Client("client of Docker on "+name), now, spec.Lifetime)
	if err != nil {
		return nil, err
	}
	return []putFile{
		{path: tlsDir + "/ca.pem", mode: 0o644, content: ca.PEM},
		{path: tlsDir + "/ca-key.pem", mode: 0o600, content: caKey, gone: caKey == nil},
		{path: tlsDir + "/server-cert.pem", mode: 0o644, content: server},
		{path: tlsDir + "/server-key.pem", mode: 0o600, content: serverKey},
		{path: tlsDir + "/client-cert.pem", mode: 0o644, content: client},
		{path: tlsDir + "/client-key.pem", mode: 0o600, content: clientKey},
	}, nil
}
