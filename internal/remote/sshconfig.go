package remote

import (
	"os"
)

// hostConfig is what the files of ssh_config say of one host, with ssh's
// defaults.
type hostConfig struct {
	hostName       string
	port           int
	user           string
	connectTimeout int // seconds; 0 says nothing
	identityFiles  []string
	identitiesOnly bool
	agent          string // the agent's socket, "" for none
	hostKeyAlias   string
	knownHosts     []string
	acceptNew      bool
	proxyJump      string
	proxyCommand   string
}

type configFiles struct{}

func newConfigFiles() (*configFiles, error) { return &configFiles{}, nil }

func (f *configFiles) lookup(alias, user string, port int) (*hostConfig, error) {
	c := &hostConfig{hostName: alias, port: port, user: user, agent: os.Getenv("SSH_AUTH_SOCK")}
	if c.port == 0 {
		c.port = 22
	}
	if c.user == "" {
		c.user = localUser()
	}
	for _, path := range []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"} {
		if path, err := untilde(path); err == nil {
			c.knownHosts = append(c.knownHosts, path)
		}
	}
	c.knownHosts = append(c.knownHosts, "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	return c, nil
}
