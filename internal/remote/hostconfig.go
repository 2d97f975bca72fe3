package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// hostConfig is what the files of ssh_config say of one host, with ssh's
// defaults.
type hostConfig struct {
	hostName       string
	port           int
	user           string
	connectTimeout time.Duration // 0 says nothing
	identityFiles  []string
	identitiesSet  bool // also by "none"
	identitiesOnly bool
	agent          string // the agent's socket, "" for none
	hostKeyAlias   string
	knownHosts     []string
	acceptNew      bool
	proxyJump      string
	proxyCommand   string
}

// lookupConfig asks the files for a host. User and port are those of the
// caller, "" and 0 where it leaves them open.
func lookupConfig(alias, user string, port int) (*hostConfig, error) {
	s, err := scanConfig(alias, user)
	if err != nil {
		return nil, fmt.Errorf("ssh's configuration: %w", err)
	}
	c := &hostConfig{port: port}
	for _, read := range []func(*hostConfig) error{s.readPlace, s.readKeys, s.readTrust, s.readWay} {
		if err := read(c); err != nil {
			return nil, fmt.Errorf("ssh's configuration of %s: %w", alias, err)
		}
	}
	return c, nil
}

// one is the value of a keyword that has one word, "" where it is not there.
func (s *scan) one(keyword string) string {
	if v := s.values[keyword]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// hostName is HostName so far, in which only %h and %% mean something.
func (s *scan) hostName() string {
	if v := s.one("hostname"); v != "" {
		return strings.NewReplacer("%%", "%", "%h", s.alias).Replace(v)
	}
	return s.alias
}

// userName is who logs in, as far as is known.
func (s *scan) userName() string {
	if s.user != "" {
		return s.user
	}
	if v := s.one("user"); v != "" {
		return v
	}
	return localUser()
}

// readPlace reads what is dialled.
func (s *scan) readPlace(c *hostConfig) error {
	c.hostName, c.user = strings.ToLower(s.hostName()), s.userName()
	if v := s.one("port"); v != "" && c.port == 0 {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("port %q: want a number from 1 to 65535", v)
		}
		c.port = n
	}
	if c.port == 0 {
		c.port = 22
	}
	s.values["port"] = []string{strconv.Itoa(c.port)} // for %p
	if v := s.one("connecttimeout"); v != "" && v != "none" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return fmt.Errorf("connecttimeout %q: want seconds", v)
		}
		c.connectTimeout = time.Duration(n) * time.Second
	}
	return nil
}

// readKeys reads with what we log in.
func (s *scan) readKeys(c *hostConfig) (err error) {
	if c.identitiesOnly, err = s.yes("identitiesonly"); err != nil {
		return err
	}
	for _, v := range s.values["identityfile"] {
		c.identitiesSet = true
		if strings.EqualFold(v, "none") {
			continue
		}
		path, err := s.path(v)
		if err != nil {
			return fmt.Errorf("identityfile: %w", err)
		}
		c.identityFiles = append(c.identityFiles, path)
	}
	c.agent = os.Getenv("SSH_AUTH_SOCK")
	switch v := s.one("identityagent"); {
	case v == "" || v == "SSH_AUTH_SOCK":
	case strings.EqualFold(v, "none"):
		c.agent = ""
	case strings.HasPrefix(v, "$") && !strings.HasPrefix(v, "${"):
		c.agent = os.Getenv(v[1:])
	default:
		if c.agent, err = s.path(v); err != nil {
			return fmt.Errorf("identityagent: %w", err)
		}
	}
	return nil
}

// readTrust reads which host keys are taken.
func (s *scan) readTrust(c *hostConfig) error {
	c.hostKeyAlias = s.one("hostkeyalias")
	users, err := s.files("userknownhostsfile", "~/.ssh/known_hosts", "~/.ssh/known_hosts2")
	if err != nil {
		return err
	}
	global, err := s.files("globalknownhostsfile", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	if err != nil {
		return err
	}
	c.knownHosts = slices.Concat(users, global)
	switch v := strings.ToLower(s.one("stricthostkeychecking")); v {
	case "accept-new", "no", "off": // ours never takes a changed key
		c.acceptNew = true
	case "", "yes", "true", "ask":
	default:
		return fmt.Errorf("stricthostkeychecking %q: want yes, no, ask or accept-new", v)
	}
	return nil
}

// files are those that a keyword names.
func (s *scan) files(keyword string, defaults ...string) ([]string, error) {
	names := s.values[keyword]
	if names == nil {
		names = defaults
	}
	var paths []string
	for _, v := range names {
		if strings.EqualFold(v, "none") {
			continue
		}
		path, err := s.path(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyword, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// readWay reads what is between the host and us.
func (s *scan) readWay(c *hostConfig) (err error) {
	if v := s.one("proxycommand"); !strings.EqualFold(v, "none") {
		if c.proxyCommand, err = s.expand(v); err != nil {
			return fmt.Errorf("proxycommand: %w", err)
		}
	}
	c.proxyJump, err = s.expand(s.one("proxyjump"))
	return err
}

// yes reads a keyword that is yes or no.
func (s *scan) yes(keyword string) (bool, error) {
	switch v := strings.ToLower(s.one(keyword)); v {
	case "yes", "true":
		return true, nil
	case "", "no", "false":
		return false, nil
	default:
		return false, fmt.Errorf("%s %q: want yes or no", keyword, v)
	}
}

// variable is a reference to the environment.
var variable = pattern.Of(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// path expands a file's name.
func (s *scan) path(v string) (string, error) {
	v, err := s.expand(v)
	if err != nil {
		return "", err
	}
	if v, err = untilde(v); err != nil {
		return "", err
	}
	var missing string
	v = variable().ReplaceAllStringFunc(v, func(ref string) string {
		value, ok := os.LookupEnv(ref[2 : len(ref)-1])
		if !ok {
			missing = ref
		}
		return value
	})
	if missing != "" {
		return "", fmt.Errorf("%s is not set", missing)
	}
	return filepath.FromSlash(v), nil
}

// expand puts in what % and a letter stand for: ssh_config(5), TOKENS.
func (s *scan) expand(v string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '%' {
			b.WriteByte(v[i])
			continue
		}
		if i++; i == len(v) {
			return "", fmt.Errorf("%q ends with a %%", v)
		}
		text, err := s.token(v[i])
		if err != nil {
			return "", fmt.Errorf("%q: %w", v, err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (s *scan) token(letter byte) (string, error) {
	switch letter {
	case '%':
		return "%", nil
	case 'h':
		return s.hostName(), nil
	case 'n':
		return s.alias, nil
	case 'p':
		if v := s.one("port"); v != "" {
			return v, nil
		}
		return "22", nil
	case 'r':
		return s.userName(), nil
	case 'u':
		return localUser(), nil
	case 'i':
		return strconv.Itoa(os.Getuid()), nil
	case 'd':
		return os.UserHomeDir()
	case 'l':
		return os.Hostname()
	case 'L':
		name, err := os.Hostname()
		short, _, _ := strings.Cut(name, ".")
		return short, err
	case 'k':
		if v := s.one("hostkeyalias"); v != "" {
			return v, nil
		}
		return s.alias, nil
	}
	return "", fmt.Errorf("%%%c is not supported here", letter)
}
