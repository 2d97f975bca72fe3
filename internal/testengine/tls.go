package testengine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// listeners prepares the TCP socket that an option asks for.
func (e *Engine) listeners() error {
	switch {
	case e.options.tls:
		e.CertPath = e.slot.file("tls")
		if err := makeCertificates(e.CertPath, e.Addr); err != nil {
			return err
		}
		e.TCPHost = "tcp://" + e.Addr + ":2376"
		e.args = []string{"--host", e.TCPHost, "--tlsverify",
			"--tlscacert", filepath.Join(e.CertPath, "ca.pem"),
			"--tlscert", filepath.Join(e.CertPath, "server.pem"), "--tlskey", filepath.Join(e.CertPath, "server-key.pem")}
	case e.options.tcp:
		e.TCPHost = "tcp://" + e.Addr + ":2375"
		// Said in so many words, or dockerd 28 sleeps for 15 s to warn.
		e.args = []string{"--host", e.TCPHost, "--tls=false"}
	}
	return nil
}

// makeCertificates writes an authority and what it signed for a server and a client, under Docker's file names.
func makeCertificates(dir, ip string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	authority := template("testengine authority", 1)
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign
	server := template("testengine", 2)
	server.IPAddresses = []net.IP{net.ParseIP(ip)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	client := template("testengine client", 3)
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}

	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		cert, key string
		template  *x509.Certificate
	}{{"ca.pem", "ca-key.pem", authority}, {"server.pem", "server-key.pem", server}, {"cert.pem", "key.pem", client}} {
		key := signer
		if c.template != authority {
			if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
				return err
			}
		}
		cert, err := x509.CreateCertificate(rand.Reader, c.template, authority, &key.PublicKey, signer)
		if err != nil {
			return err
		}
		keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, c.cert), "CERTIFICATE", cert); err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, c.key), "PRIVATE KEY", keyBytes); err != nil {
			return err
		}
	}
	return nil
}

// Nobody is the address of an engine that nobody has.
const Nobody = "198.18.255.255"

// Certificates writes what [TLS] makes, for an engine at an address, and returns the folder.
func Certificates(tb testing.TB, dir, ip string) string {
	tb.Helper()
	dir = filepath.Join(dir, "tls")
	if err := makeCertificates(dir, ip); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Expire replaces a folder's client certificate by one of the same authority that was valid until yesterday.
func Expire(tb testing.TB, dir string) {
	tb.Helper()
	old := template("testengine client", 4)
	old.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	old.NotBefore, old.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	authority, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	client, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.CreateCertificate(rand.Reader, old, authority.Leaf, client.Leaf.PublicKey, authority.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	if err := writePEM(filepath.Join(dir, "cert.pem"), "CERTIFICATE", cert); err != nil {
		tb.Fatal(err)
	}
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func writePEM(path, kind string, content []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600)
}
