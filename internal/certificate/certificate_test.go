package certificate

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

// What an authority signs is trusted by who trusts it, for its names and its use,
// and no longer than the authority.
func TestAuthority(t *testing.T) {
	now := time.Now()
	ca, key, err := New("ours", now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = Read(ca.PEM, key); err != nil {
		t.Fatal(err)
	}
	signed := func(c *x509.Certificate) *x509.Certificate {
		t.Helper()
		text, _, err := ca.Sign(c, now, 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		c, err = x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert)
	for _, tt := range []struct {
		cert *x509.Certificate
		name string
		at   time.Time
		use  x509.ExtKeyUsage
		want string
	}{
		{Server("an engine", "box", "192.0.2.7"), "box", now, x509.ExtKeyUsageServerAuth, ""},
		{Server("an engine", "box", "192.0.2.7"), "192.0.2.7", now, x509.ExtKeyUsageServerAuth, ""},
		{Server("an engine", "box"), "other", now, x509.ExtKeyUsageServerAuth, "valid for box, not other"},
		{Server("an engine", "box"), "box", now, x509.ExtKeyUsageClientAuth, "incompatible key usage"},
		{Client("somebody"), "", now, x509.ExtKeyUsageClientAuth, ""},
		{Client("somebody"), "", now.Add(2 * time.Hour), x509.ExtKeyUsageClientAuth, "expired"},
	} {
		_, err := signed(tt.cert).Verify(x509.VerifyOptions{DNSName: tt.name, Roots: roots, CurrentTime: tt.at, KeyUsages: []x509.ExtKeyUsage{tt.use}})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s for %q: %v, want %q", tt.cert.Subject, tt.name, err, tt.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	ca, key, err := New("ours", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := New("another", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	leaf, leafKey, err := ca.Sign(Client("somebody"), time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ what, cert, key, want string }{
		{"another's key", string(other.PEM), string(key), "private key does not match public key"},
		{"no authority", string(leaf), string(leafKey), "is not an authority's"},
		{"nothing", "", "", "failed to find any PEM data"},
	} {
		if _, err := Read([]byte(tt.cert), []byte(tt.key)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.what, err, tt.want)
		}
	}
}
