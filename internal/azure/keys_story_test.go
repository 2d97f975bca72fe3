package azure_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// publicKey is a line of authorized_keys.
func (s *story) publicKey(key any, err error) string {
	s.Helper()
	s.must(err)
	public, err := ssh.NewPublicKey(key)
	s.must(err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
}

// Azure takes keys of two types. Of whoever makes a machine the others are left out, and
// where there is none besides one is made; in a script they are errors at their line.
func TestKeysThatAzureDoesNotTake(t *testing.T) {
	s := newStory(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ecdsaKey := s.publicKey(&curve.PublicKey, err)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	shortKey := s.publicKey(&short.PublicKey, err)
	for key, want := range map[string]string{
		ecdsaKey: "is of type ecdsa-sha2-nistp256, and Azure takes ssh-ed25519 and ssh-rsa",
		shortKey: "has 1024 bits, and Azure takes RSA keys of 2048 and more",
		someKey:  "",
	} {
		err := s.problems(head + fmt.Sprintf("vm('web', provider = az, ssh_keys = [%q])", key))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(fmt.Sprintf("%+v", err), want)) {
			t.Errorf("%.20s: %+v, want %s", key, err, want)
		}
	}

	dir := filepath.Join(os.Getenv("HOME"), ".ssh")
	s.must(os.MkdirAll(dir, 0o700))
	for name, key := range map[string]string{"id_ecdsa": ecdsaKey, "id_rsa": shortKey} {
		s.must(os.WriteFile(filepath.Join(dir, name+".pub"), []byte(key), 0o600))
	}
	s.apply(head + "vm('web', provider = az)")
	if got := fmt.Sprint(s.byHand("GET", "/providers/Microsoft.Compute/virtualMachines/web", computeAPI, nil)); strings.Contains(got, shortKey) || !strings.Contains(got, "ssh-ed25519 ") {
		t.Errorf("its keys are others: %s", got)
	}
}
