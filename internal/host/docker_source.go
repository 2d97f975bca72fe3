package host

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/remote"
)

// repository fills in what the machine's source of Docker's packages says.
func (st *dockerState) repository(is, spec *DockerSpec) {
	got := parseSources(st.files[dockerSources])
	is.Channel = got["Components"]
	switch uri := got["URIs"]; uri {
	case "", st.ownRepository():
	case strings.TrimSuffix(spec.Repository, "/"):
		is.Repository = spec.Repository
	default:
		is.Repository = uri
	}
	keyring := st.files[dockerKeyring]
	if _, err := readKey(string(keyring), dockerFingerprint); err == nil {
		return // Docker's own, which goes without saying
	}
	is.Key = string(keyring)
	if want, err := readKey(spec.Key, ""); err == nil && string(want) == is.Key {
		is.Key = spec.Key
	}
}

// ownRepository is Docker's for this system.
func (st *dockerState) ownRepository() string {
	system := st.system
	if system != "ubuntu" {
		system = "debian"
	}
	return "https://download.docker.com/linux/" + system
}

// parseSources reads the fields of a source of packages in deb822 format.
func parseSources(text []byte) map[string]string {
	out := map[string]string{}
	for _, line := range lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			out[k] = strings.TrimSpace(v)
		}
	}
	return out
}

// key returns the key of the repository, as it is written. Docker's own is
// fetched by the machine, unless it has it.
func (j *dockerJob) key(ctx context.Context, st *dockerState) ([]byte, error) {
	if j.spec.Key != "" {
		return readKey(j.spec.Key, "")
	}
	if has, err := readKey(string(st.files[dockerKeyring]), dockerFingerprint); err == nil {
		return has, nil
	}
	from := st.repositoryOf(j.spec) + "/gpg"
	j.progress("fetching the key " + from)
	out, err := j.c.run(ctx, fmt.Sprintf(`f=$(mktemp); trap 'rm -f "$f"' EXIT HUP INT TERM
said=$(/usr/lib/apt/apt-helper download-file %s "$f" 2>&1 </dev/null) || fail "the key of the repository cannot be fetched; give it as key =, or check the network, a proxy, and the package ca-certificates
$(printf '%%s\n' "$said" | grep '^E:\|^Err' | head -n 3)"
cat "$f"
`, remote.Quote(from)), nil)
	if err != nil {
		return nil, err
	}
	key, err := readKey(string(out), dockerFingerprint)
	if err != nil {
		return nil, &failure{fmt.Sprintf("%s %v: it is not Docker's key; if the mirror signs with its own, give that as key =", from, err)}
	}
	return key, nil
}

func (st *dockerState) repositoryOf(spec *DockerSpec) string {
	if spec.Repository != "" {
		return strings.TrimSuffix(spec.Repository, "/")
	}
	return st.ownRepository()
}

// sources is the source of Docker's packages, in deb822 format.
func (st *dockerState) sources(spec *DockerSpec) []byte {
	return fmt.Appendf(nil, "# Written by swarmscript.\nTypes: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n",
		st.repositoryOf(spec), st.codename, spec.Channel, dockerKeyring)
}

// lacksSource reports whether the source of Docker's packages is not as it
// should be.
func (st *dockerState) lacksSource(spec *DockerSpec) bool {
	if spec.Source != "docker" {
		return false
	}
	if !bytes.Equal(st.files[dockerSources], st.sources(spec)) {
		return true
	}
	want, finger := spec.Key, ""
	if want == "" {
		want, finger = string(st.files[dockerKeyring]), dockerFingerprint
	}
	key, err := readKey(want, finger)
	return err != nil || !bytes.Equal(key, st.files[dockerKeyring])
}
