// Package remote makes connections. A [Docker] is one to an engine: which one
// the environment means, how to reach it, what its errors say, and the
// credentials that an image's registry wants. A [Host] is one to a machine over
// SSH, which commands, files and the machine's engine share: one TCP connection
// and one login, dialled at the first use and again when it was lost.
//
// The engine behind a Host is as fast as a local one, except for the way there:
// sshd sets TCP_NODELAY only when it runs a session's first command, so on a
// login that only forwards, the last part of a large answer waited until our
// side had acknowledged the first part, which takes Linux up to 40 ms (Nagle's
// algorithm against delayed acknowledgements). A list of 44 KB took 26 ms over a
// forwarded socket and 2 ms without. Now a command that does nothing goes first,
// on jump hosts too; BenchmarkEngine measures it.
//
// An engine at an ssh:// address is not behind a Host: the user's own ssh goes
// there, as for the docker CLI, with all that its configuration may say.
package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/tlsconfig"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Endpoint says which engine is meant. The zero value means what the docker
// CLI would take: DOCKER_HOST, DOCKER_CONTEXT, the current context of
// config.json, the platform's default socket.
type Endpoint struct {
	// Host is an address: unix://, tcp://, npipe://, ssh://, http:// or
	// https://. It wins over everything else.
	Host string
	// Context names a docker context. It wins over the environment.
	Context string
	// TLS is for Host; nil means what DOCKER_TLS_VERIFY and DOCKER_CERT_PATH
	// say.
	TLS *TLS
	// ConfigDir is docker's configuration folder; "" means DOCKER_CONFIG, or
	// ~/.docker.
	ConfigDir string
}

// TLS says how a tcp address is secured.
type TLS struct {
	CA, Cert, Key string // files in PEM format; "" for none
	SkipVerify    bool
}

// target is an endpoint once the environment has been asked.
type target struct {
	host   string
	source string // where host comes from: "DOCKER_HOST", "context prod"
	tls    *tls.Config
	ca     string // what a hint calls the files, as "tls_ca"
	cert   string
}

// Name says where it is for a person.
func (t *target) Name() string {
	if t.source == "" {
		return t.host
	}
	return t.host + " (" + t.source + ")"
}

func (e Endpoint) resolve() (*target, error) {
	switch {
	case e.Host != "":
		return e.address(e.Host, "")
	case e.Context != "" && e.Context != "default":
		return e.context(e.Context, "")
	case e.Context == "default":
		return e.address(client.DefaultDockerHost, "the default context")
	}
	if h := os.Getenv(client.EnvOverrideHost); h != "" {
		return e.address(h, "DOCKER_HOST")
	}
	if c := os.Getenv("DOCKER_CONTEXT"); c != "" {
		if c == "default" {
			return e.address(client.DefaultDockerHost, "DOCKER_CONTEXT")
		}
		return e.context(c, "DOCKER_CONTEXT")
	}
	cfg, err := e.config()
	if err != nil {
		return nil, err
	}
	if c := cfg.CurrentContext; c != "" && c != "default" {
		return e.context(c, "the current context of "+cfg.Filename)
	}
	return e.address(client.DefaultDockerHost, "the default; DOCKER_HOST is not set")
}

// config reads docker's config.json; a file that is not there is an empty one.
func (e Endpoint) config() (*configfile.ConfigFile, error) {
	cfg, err := config.Load(e.dir())
	if err != nil {
		return nil, fmt.Errorf("docker's configuration: %w", err)
	}
	return cfg, nil
}

func (e Endpoint) dir() string {
	if e.ConfigDir != "" {
		return e.ConfigDir
	}
	if d := os.Getenv("DOCKER_CONFIG"); d != "" {
		return d // config.Dir remembers the first answer for the whole process
	}
	return config.Dir()
}

func (e Endpoint) address(host, source string) (*target, error) {
	if err := resource.CheckUserinfo(host); err != nil {
		return nil, fmt.Errorf("engine address %q%s: %w", resource.RedactAddress(host), from(source), err)
	}
	u, err := client.ParseHostURL(host)
	if err != nil {
		return nil, fmt.Errorf("engine address %q%s: want unix://, tcp://, ssh:// or npipe:// and a place", host, from(source))
	}
	t := &target{host: host, source: source, ca: "tls_ca", cert: "tls_cert and tls_key"}
	switch u.Scheme {
	case "unix", "npipe", "ssh", "fd":
		return t, nil
	case "tcp", "http", "https":
	default:
		return nil, fmt.Errorf("engine address %q%s: unknown scheme %q, want unix, tcp, ssh or npipe", host, from(source), u.Scheme)
	}
	conf := e.TLS
	if conf == nil {
		conf = e.envTLS()
		t.ca, t.cert = "ca.pem in DOCKER_CERT_PATH", "cert.pem and key.pem in DOCKER_CERT_PATH"
	}
	if conf == nil {
		if u.Scheme == "https" {
			t.tls = tlsconfig.ClientDefault()
		}
		return t, nil
	}
	if t.tls, err = conf.load(); err != nil {
		return nil, fmt.Errorf("TLS for %s: %w", t.Name(), err)
	}
	return t, nil
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " (" + source + ")"
}

// envTLS follows the docker CLI: DOCKER_TLS_VERIFY verifies, DOCKER_TLS does
// not, and a certificate path alone means nothing.
func (e Endpoint) envTLS() *TLS {
	verify := os.Getenv(client.EnvTLSVerify) != ""
	if !verify && os.Getenv("DOCKER_TLS") == "" {
		return nil
	}
	dir := os.Getenv(client.EnvOverrideCertPath)
	if dir == "" {
		dir = e.dir()
	}
	return &TLS{
		CA:         filepath.Join(dir, "ca.pem"),
		Cert:       filepath.Join(dir, "cert.pem"),
		Key:        filepath.Join(dir, "key.pem"),
		SkipVerify: !verify,
	}
}

func (t *TLS) load() (*tls.Config, error) {
	cfg := tlsconfig.ClientDefault()
	cfg.InsecureSkipVerify = t.SkipVerify
	if t.CA != "" && !t.SkipVerify {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM format", t.CA)
		}
	}
	if t.Cert != "" && t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		switch {
		case errors.Is(err, os.ErrNotExist) && t.SkipVerify: // the CLI does without
		case err != nil:
			return nil, err
		default:
			cfg.Certificates = []tls.Certificate{pair}
		}
	}
	return cfg, nil
}

// context reads a docker context from the store under the configuration
// folder.
func (e Endpoint) context(name, source string) (*target, error) {
	if source == "" {
		source = "context " + name
	} else {
		source = "context " + name + ", from " + source
	}
	s := store.New(filepath.Join(e.dir(), "contexts"), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter(docker.DockerEndpoint, func() any { return &docker.EndpointMeta{} }),
	))
	fail := func(err error) (*target, error) {
		return nil, fmt.Errorf("docker context %q: %w (docker context ls shows what there is)", name, err)
	}
	meta, err := s.GetMetadata(name)
	if cerrdefs.IsNotFound(err) {
		return fail(errors.New("there is no such context"))
	} else if err != nil {
		return fail(err)
	}
	em, err := docker.EndpointFromContext(meta)
	if err != nil {
		return fail(err)
	}
	t, err := Endpoint{ConfigDir: e.ConfigDir, TLS: &TLS{SkipVerify: em.SkipTLSVerify}}.address(em.Host, source)
	if err != nil {
		return fail(err)
	}
	t.ca, t.cert = "the context's ca.pem", "the context's cert.pem and key.pem"
	if t.tls == nil {
		return t, nil
	}
	ep, err := docker.WithTLSData(s, name, em)
	if err != nil {
		return fail(err)
	}
	if ep.TLSData == nil {
		if !em.SkipTLSVerify && !strings.HasPrefix(em.Host, "https://") {
			t.tls = nil // a plain tcp address, as the CLI takes it
		}
		return t, nil
	}
	if len(ep.TLSData.CA) > 0 {
		t.tls.RootCAs = x509.NewCertPool()
		if !t.tls.RootCAs.AppendCertsFromPEM(ep.TLSData.CA) {
			return fail(errors.New("its ca.pem holds no certificate"))
		}
	}
	if len(ep.TLSData.Cert) > 0 && len(ep.TLSData.Key) > 0 {
		pair, err := tls.X509KeyPair(ep.TLSData.Cert, ep.TLSData.Key)
		if err != nil {
			return fail(err)
		}
		t.tls.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
