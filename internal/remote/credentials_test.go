package remote

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever is in docker's configuration, an image's credentials are found, or
// there is an error.
func FuzzCredentials(f *testing.F) {
	f.Add([]byte(`{"auths":{"registry.example":{"auth":"dTpw"},"https://index.docker.io/v1/":{"identitytoken":"t"}}}`), "registry.example/web:1")
	f.Add([]byte(`{"auths":{"registry.example":{"auth":"%%%"}},"currentContext":"x"}`), "web")
	f.Add([]byte(`{"auths":null,"proxies":{"default":{}}`), "a/b@sha256:00")
	f.Fuzz(func(t *testing.T, data []byte, image string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := (Endpoint{ConfigDir: dir}).config()
		if err == nil && (cfg.CredentialsStore != "" || len(cfg.CredentialHelpers) > 0) {
			return // a program of that name would be run
		}
		_, _ = NewCredentials(dir).For(image)
	})
}
