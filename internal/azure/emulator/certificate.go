package emulator

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/swarmscript/swarmscript/internal/certificate"
)

// CAFile is the name of the authority's certificate in the folder that
// [Certificates] writes.
const CAFile = "ca.pem"

// certificateLife is longer than a folder is used.
const certificateLife = 10 * 365 * 24 * time.Hour

// registryNames are those of all registries of Azure: also one that there is not is
// to say so.
var registryNames = []string{"*.azurecr.io", "*.azurecr.cn", "*.azurecr.us"}

// Certificates returns what an emulator serves with at some hosts, and for Azure's
// registries: a certificate of an authority of its own, which is made where the
// folder has none, and stays the same.
func Certificates(dir string, hosts ...string) (tls.Certificate, error) {
	ca, err := authority(dir)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, key, err := ca.Sign(certificate.Server("swarmscript azure-emulator", slices.Concat(hosts, registryNames)...), time.Now(), certificateLife)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(slices.Concat(cert, ca.PEM), key)
}

// authority is the one of a folder.
func authority(dir string) (*certificate.Authority, error) {
	caFile, keyFile := filepath.Join(dir, CAFile), filepath.Join(dir, "ca-key.pem")
	cert, err := os.ReadFile(caFile)
	if err == nil {
		var key []byte
		if key, err = os.ReadFile(keyFile); err != nil {
			return nil, err
		}
		return certificate.Read(cert, key)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ca, key, err := certificate.New("swarmscript azure-emulator authority", time.Now(), certificateLife)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return nil, err
	}
	return ca, os.WriteFile(caFile, ca.PEM, 0o644)
}
