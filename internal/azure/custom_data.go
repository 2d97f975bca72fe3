package azure

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/swarmscript/swarmscript/internal/sshkey"
)

// maxCustomData is what Azure takes, before it is encoded.
const maxCustomData = 65535

// hostKey is the SSH host key of a machine, made before the machine is.
type hostKey struct {
	private string // in OpenSSH's PEM format
	public  string // as a line of authorized_keys
}

func newHostKey() (hostKey, error) {
	private, public, err := sshkey.New("swarmscript")
	return hostKey{private: string(private), public: strings.TrimSpace(string(public))}, err
}

// cloudConfig gives a machine its host key, in cloud-init's format: JSON is YAML.
func (k hostKey) cloudConfig() (string, error) {
	doc, err := json.MarshalIndent(map[string]any{
		"ssh_deletekeys":  true,
		"ssh_genkeytypes": []string{},
		"ssh_keys":        map[string]string{"ed25519_private": k.private, "ed25519_public": k.public},
	}, "", "  ")
	return "#cloud-config\n" + string(doc) + "\n", err
}

// customData is what a machine is given at its first boot: its host key, and what the
// script says beside it. Cloud-init takes several as one MIME message.
func customData(k hostKey, own string) ([]byte, error) {
	ours, err := k.cloudConfig()
	if err != nil || own == "" {
		return []byte(ours), err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%q\nMIME-Version: 1.0\n\n", w.Boundary())
	for _, part := range []struct{ typ, name, text string }{{"text/cloud-config", "host-key.cfg", ours}, {contentType(own), "custom-data", own}} {
		h := textproto.MIMEHeader{}
		h.Set("Content-Type", part.typ)
		h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", part.name))
		if part.typ == "text/cloud-config" {
			h.Set("X-Merge-Type", "list(append)+dict(no_replace,recurse_list)+str()") // the first, which is ours, wins
		}
		p, err := w.CreatePart(h)
		if err != nil {
			return nil, err
		}
		if _, err := p.Write([]byte(part.text)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() > maxCustomData {
		return nil, fmt.Errorf("custom_data has %d bytes with the machine's host key, and Azure takes %d", b.Len(), maxCustomData)
	}
	return b.Bytes(), nil
}

// contentType is what cloud-init calls a text, by how it begins.
func contentType(s string) string {
	for _, t := range []struct{ begin, typ string }{
		{"#cloud-config-archive", "text/cloud-config-archive"}, {"#cloud-config", "text/cloud-config"},
		{"#!", "text/x-shellscript"}, {"#include", "text/x-include-url"}, {"#cloud-boothook", "text/cloud-boothook"}, {"## template: jinja", "text/jinja2"},
	} {
		if strings.HasPrefix(s, t.begin) {
			return t.typ
		}
	}
	return "text/plain"
}

// hashData stands for custom data, which Azure never gives back, in a tag. It is
// salted: two machines with the same do not show it.
func hashData(data, salt string) string {
	if salt == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails, by its contract
		salt = hex.EncodeToString(b[:])
	}
	sum := sha256.Sum256([]byte(salt + "\x00" + data))
	return salt + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// isHashOf reports whether a hash is of that data.
func isHashOf(hash, data string) bool {
	salt, _, ok := strings.Cut(hash, ":")
	return ok && salt != "" && hashData(data, salt) == hash
}
