package host

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// dockerFingerprint is that of the key which Docker signs its apt repositories
// for Debian and Ubuntu with: https://docs.docker.com/engine/install/debian/.
const dockerFingerprint = "9dc858229fc7dd38854ae2d88d81803c0ebfcd88"

// readKey reads an OpenPGP key in ASCII armour and returns it as it is written to
// the machine: what was read of it, and nothing else. It must be one key, with
// the fingerprint if one is given.
func readKey(text, fingerprint string) ([]byte, error) {
	keys, err := openpgp.ReadArmoredKeyRing(strings.NewReader(text))
	if err != nil {
		return nil, errors.New("is not an OpenPGP key in ASCII armour (-----BEGIN PGP PUBLIC KEY BLOCK-----)")
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("holds %d keys, want one", len(keys))
	}
	if keys[0].PrivateKey != nil {
		return nil, errors.New("is a private key, want the public one (gpg --armor --export)")
	}
	if is := hex.EncodeToString(keys[0].PrimaryKey.Fingerprint); fingerprint != "" && is != fingerprint {
		return nil, fmt.Errorf("has the fingerprint %s, want %s", strings.ToUpper(is), strings.ToUpper(fingerprint))
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		return nil, err
	}
	if err := keys[0].Serialize(w); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
