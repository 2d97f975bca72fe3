// Package certificate makes X.509 certificates and the authorities that sign them
// (RFC 5280), in PEM format: for engines, their clients, and what serves HTTPS here.
// All keys are ECDSA's, on P-256.
package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// Authority signs certificates.
type Authority struct {
	Cert *x509.Certificate
	PEM  []byte // the certificate

	key crypto.Signer
}

// New makes an authority that signs nothing but leaves, and its key.
func New(name string, now time.Time, life time.Duration) (a *Authority, key []byte, err error) {
	text, key, err := (*Authority)(nil).Sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, now, life)
	if err != nil {
		return nil, nil, err
	}
	a, err = Read(text, key)
	return a, key, err
}

// Read reads an authority's certificate and key.
func Read(cert, key []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("the certificate and its key: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	if !pair.Leaf.IsCA {
		return nil, errors.New("the certificate is not an authority's (CA:TRUE)")
	}
	return &Authority{Cert: pair.Leaf, PEM: cert, key: signer}, nil
}

// Sign makes a certificate and a key for it. It is good no longer than its
// authority; without one, it signs itself.
func (a *Authority) Sign(c *x509.Certificate, now time.Time, life time.Duration) (cert, key []byte, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126)); err != nil {
		return nil, nil, err
	}
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(life) // an hour, for clocks that are behind
	parent, signer := c, crypto.Signer(own)
	if a != nil {
		parent, signer = a.Cert, a.key
		if c.NotAfter.After(a.Cert.NotAfter) {
			c.NotAfter = a.Cert.NotAfter
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, own.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), nil
}

// Server is a template for what serves at names, which may be IP addresses.
func Server(name string, names ...string) *x509.Certificate {
	c := leaf(name, x509.ExtKeyUsageServerAuth)
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	return c
}

// Client is a template for who calls a server.
func Client(name string) *x509.Certificate { return leaf(name, x509.ExtKeyUsageClientAuth) }

func leaf(name string, use x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{use},
	}
}
