// Package sshkey makes key pairs for machines that are made here: their own, and
// those that they are reached with.
package sshkey

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"

	"golang.org/x/crypto/ssh"
)

// New makes an Ed25519 key pair in OpenSSH's formats: the private key as PEM, and
// the public one as a line of authorized_keys.
func New(comment string) (private, public []byte, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(priv, comment)
	if err != nil {
		return nil, nil, err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(block), line(key, comment), nil
}

// Take is [New] for who may have a private key already: it returns that, as it is,
// with its public one. Where private is empty it makes a pair.
func Take(private []byte, comment string) (same, public []byte, err error) {
	if len(private) == 0 {
		return New(comment)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return private, line(signer.PublicKey(), comment), nil
}

func line(key ssh.PublicKey, comment string) []byte {
	return append(bytes.TrimSpace(ssh.MarshalAuthorizedKey(key)), " "+comment+"\n"...)
}
