package testengine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/certificate"
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
	ca, key, err := certificate.New("testengine authority", time.Now(), certificateLife)
	if err != nil {
		return err
	}
	if err := writePair(dir, "ca.pem", "ca-key.pem", ca.PEM, key); err != nil {
		return err
	}
	cert, key, err := ca.Sign(certificate.Server("testengine", ip), time.Now(), certificateLife)
	if err != nil {
		return err
	}
	if err := writePair(dir, "server.pem", "server-key.pem", cert, key); err != nil {
		return err
	}
	return signClient(ca, dir, time.Now())
}

const certificateLife = 24 * time.Hour

func signClient(ca *certificate.Authority, dir string, now time.Time) error {
	cert, key, err := ca.Sign(certificate.Client("testengine client"), now, certificateLife)
	if err != nil {
		return err
	}
	return writePair(dir, "cert.pem", "key.pem", cert, key)
}

func writePair(dir, certFile, keyFile string, cert, key []byte) error {
	if err := os.WriteFile(filepath.Join(dir, certFile), cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, keyFile), key, 0o600)
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
	cert, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "ca-key.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	ca, err := certificate.Read(cert, key)
	if err != nil {
		tb.Fatal(err)
	}
	if err := signClient(ca, dir, time.Now().Add(-2*certificateLife)); err != nil {
		tb.Fatal(err)
	}
}
