package machines

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"

	"go.yaml.in/yaml/v3"
)

// customData is what a machine's first boot is told.
type customData struct {
	hostKey []byte // PEM; nil: the machine makes its own
	// script is what is done as root once it runs.
	script string
}

// cloudConfig is the part of cloud-config that there is here.
type cloudConfig struct {
	SSHKeys    map[string]string `yaml:"ssh_keys"`
	WriteFiles []struct {
		Path        string `yaml:"path"`
		Content     string `yaml:"content"`
		Encoding    string `yaml:"encoding"`
		Owner       string `yaml:"owner"`
		Permissions string `yaml:"permissions"`
		Append      bool   `yaml:"append"`
	} `yaml:"write_files"`
	RunCmd         []any    `yaml:"runcmd"`
	Packages       []string `yaml:"packages"`
	PackageUpdate  bool     `yaml:"package_update"`
	DeleteKeys     *bool    `yaml:"ssh_deletekeys"`  // the machine has no other keys
	GenerateKeys   []string `yaml:"ssh_genkeytypes"` // and makes no others
	PreserveName   *bool    `yaml:"preserve_hostname"`
	DisableRoot    *bool    `yaml:"disable_root"`
	PasswordLogins *bool    `yaml:"ssh_pwauth"`
}

// parseCustomData reads custom data: cloud-config, a script, or parts of both.
func parseCustomData(data []byte) (customData, error) {
	var out customData
	if err := out.add(data, ""); err != nil {
		return customData{}, fmt.Errorf("custom data: %w", err)
	}
	return out, nil
}

// add takes one part, of a type where its parts' envelope says one.
func (c *customData) add(data []byte, kind string) error {
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return nil
	case kind == "text/cloud-config" || strings.HasPrefix(text, "#cloud-config"):
		return c.addConfig(data)
	case kind == "text/x-shellscript" || strings.HasPrefix(text, "#!"):
		c.script += "cat > /tmp/swarmscript-part <<'" + endOfPart + "'\n" + text + "\n" + endOfPart + "\nchmod 700 /tmp/swarmscript-part\n/tmp/swarmscript-part\nrm -f /tmp/swarmscript-part\n"
		return nil
	}
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return errors.New("want cloud-config (#cloud-config), a script (#!), or a MIME archive of them")
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return fmt.Errorf("a MIME archive of type %q is not known here", m.Header.Get("Content-Type"))
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.addPart(part); err != nil {
			return err
		}
	}
}

func (c *customData) addPart(part *multipart.Part) error {
	var body io.Reader = part
	if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
		body = base64.NewDecoder(base64.StdEncoding, part)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		return errors.New("a MIME archive in another one is not known here")
	}
	return c.add(data, kind)
}

// endOfPart ends a script in the script that runs it.
const endOfPart = "SWARMSCRIPT_END_OF_PART"

func (c *customData) addConfig(data []byte) error {
	var in cloudConfig
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true) // what is not simulated is not left out silently
	if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cloud-config: %w", err)
	}
	for name, key := range in.SSHKeys {
		switch name {
		case "ed25519_private":
			c.hostKey = []byte(key)
		case "ed25519_public", "ed25519_certificate":
		default:
			return fmt.Errorf("ssh_keys: %s is not simulated: only ed25519 keys are", name)
		}
	}
	for _, f := range in.WriteFiles {
		content := []byte(f.Content)
		if f.Encoding != "" {
			var err error
			if content, err = base64.StdEncoding.DecodeString(f.Content); err != nil || f.Encoding != "b64" && f.Encoding != "base64" {
				return fmt.Errorf("write_files: %s: encoding %s is not simulated, or the content is not of it", f.Path, f.Encoding)
			}
		}
		to := ">"
		if f.Append {
			to = ">>"
		}
		c.script += fmt.Sprintf("mkdir -p \"$(dirname %[1]s)\"\nbase64 -d %[2]s %[1]s <<'%[3]s'\n%[4]s\n%[3]s\n", quote(f.Path), to, endOfPart, base64.StdEncoding.EncodeToString(content))
		if f.Permissions != "" {
			c.script += "chmod " + quote(f.Permissions) + " " + quote(f.Path) + "\n"
		}
		if f.Owner != "" {
			c.script += "chown " + quote(f.Owner) + " " + quote(f.Path) + "\n"
		}
	}
	if in.PackageUpdate || len(in.Packages) > 0 {
		c.script += "apt-get update\n"
	}
	if len(in.Packages) > 0 {
		c.script += "DEBIAN_FRONTEND=noninteractive apt-get install -y"
		for _, p := range in.Packages {
			c.script += " " + quote(p)
		}
		c.script += "\n"
	}
	return c.addCommands(in.RunCmd)
}

// addCommands takes runcmd: each is a line of the shell, or a list of words.
func (c *customData) addCommands(all []any) error {
	for _, cmd := range all {
		switch cmd := cmd.(type) {
		case string:
			c.script += cmd + "\n"
		case []any:
			var words []string
			for _, w := range cmd {
				words = append(words, quote(fmt.Sprint(w)))
			}
			c.script += strings.Join(words, " ") + "\n"
		default:
			return fmt.Errorf("runcmd: %v is neither a line nor a list of words", cmd)
		}
	}
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
