package azure

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/sshkey"
	"github.com/swarmscript/swarmscript/internal/value"
)

// refusedKey is why Azure does not take a public key for a machine, "" where it does, and
// where it is none.
func refusedKey(line string) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return ""
	}
	const least = 2048
	switch key.Type() {
	case ssh.KeyAlgoED25519:
		return ""
	case ssh.KeyAlgoRSA:
		public, _ := key.(ssh.CryptoPublicKey).CryptoPublicKey().(*rsa.PublicKey)
		if public == nil || public.N.BitLen() >= least {
			return ""
		}
		return fmt.Sprintf("has %d bits, and Azure takes RSA keys of %d and more", public.N.BitLen(), least)
	}
	return "is of type " + key.Type() + ", and Azure takes ssh-ed25519 and ssh-rsa"
}

// checkKeys finds public keys that Azure does not take.
func checkKeys(p *problemsOf) {
	list, _ := p.get("ssh_keys").(value.List)
	for i, e := range list {
		line, _ := value.Reveal(e).(string)
		if why := refusedKey(line); why != "" {
			p.ps = append(p.ps, &schema.Problem{Path: fmt.Sprintf("ssh_keys[%d]", i), Msg: why, Hint: "ssh-keygen -t ed25519 makes one that it takes"})
		}
	}
}

// identities are the public keys of the person who runs this program, as lines of
// authorized_keys: those of the agent, and of the files that ssh uses by itself, as far as
// Azure takes them.
func identities() []string {
	var out []string
	add := func(line string) {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || refusedKey(line) != "" {
			return
		}
		plain := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
		if !slices.Contains(out, plain) {
			out = append(out, plain)
		}
	}
	if socket := os.Getenv("SSH_AUTH_SOCK"); socket != "" {
		if conn, err := net.Dial("unix", socket); err == nil {
			keys, _ := agent.NewClient(conn).List()
			for _, k := range keys {
				add(k.String())
			}
			_ = conn.Close()
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return out
	}
	for _, name := range []string{"id_ed25519", "id_rsa"} {
		if line, err := os.ReadFile(filepath.Join(home, ".ssh", name+".pub")); err == nil {
			add(string(line))
		}
	}
	return out
}

// ownKey is the key pair that is made where a person has none that Azure takes, once.
func ownKey() (file string, err error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "swarmscript", "azure", "id_ed25519"), err
}

// makeOwnKey makes that pair where it is not there, and returns its public half.
func makeOwnKey() (string, error) {
	file, err := ownKey()
	if err != nil {
		return "", fmt.Errorf("there is no key to log in with, and no folder to make one in: %w", err)
	}
	if line, err := readOwnKey(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return line, err
	}
	private, public, err := sshkey.New("swarmscript")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	// It comes to be whole, and once: several machines are made at the same time, and
	// perhaps by several runs.
	f, err := os.CreateTemp(filepath.Dir(file), "new")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(private)
	if err := errors.Join(err, f.Chmod(0o600), f.Close()); err != nil {
		return "", err
	}
	if err := os.Link(f.Name(), file); errors.Is(err, fs.ErrExist) { // somebody was faster
		return readOwnKey(file)
	} else if err != nil {
		return "", err
	}
	if err := os.WriteFile(file+".pub", public, 0o644); err != nil {
		return "", err
	}
	return readOwnKey(file)
}

// readOwnKey reads the public half out of the private one.
func readOwnKey(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), nil
}

// loginKeys are the public keys that a new machine takes where the script says
// none.
func loginKeys() ([]string, error) {
	if keys := identities(); len(keys) > 0 {
		return keys, nil
	}
	line, err := makeOwnKey()
	return []string{line}, err
}

// ownKeyOf is the file of our own key, where a machine takes it; "" where it does
// not.
func ownKeyOf(taken []string) string {
	file, err := ownKey()
	if err != nil {
		return ""
	}
	line, err := readOwnKey(file)
	if err != nil {
		return ""
	}
	for _, t := range taken {
		if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(t)); err == nil && strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) == line {
			return file
		}
	}
	return ""
}
