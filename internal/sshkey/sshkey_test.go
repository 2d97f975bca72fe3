package sshkey

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestNew(t *testing.T) {
	private, line, err := New("root@web")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public, comment, _, rest, err := ssh.ParseAuthorizedKey(line)
	if err != nil || comment != "root@web" || len(rest) > 0 {
		t.Errorf("%s: comment %q, rest %q, %v", line, comment, rest, err)
	}
	if !bytes.Equal(public.Marshal(), signer.PublicKey().Marshal()) {
		t.Error("the two keys are not a pair")
	}
	if again, _, _ := New("root@web"); bytes.Equal(again, private) {
		t.Error("the same key twice")
	}
	same, public2, err := Take(private, "root@web")
	if err != nil || !bytes.Equal(same, private) || !bytes.Equal(public2, line) {
		t.Errorf("a key that is taken has another public one: %s, %v", public2, err)
	}
	if _, _, err := Take([]byte("no key"), ""); err == nil {
		t.Error("it took what is no key")
	}
}
