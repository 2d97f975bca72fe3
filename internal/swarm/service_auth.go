package swarm

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// The swarm keeps the login that came with a service and gives it to every node
// that is to run a task of it, later too: when a task moves, it must still hold
// (moby/moby#36045). Nobody can read it back, so a label of the service says what
// was sent.

// labelAuth is that label: `login=HASH,sent=TIME,until=TIME`, each part where
// there is one.
const labelAuth = "swarmscript.auth"

// sentAuth is what the label says.
type sentAuth struct {
	// login is a keyed hash of a login that the script itself has; one of docker's
	// own configuration is another with each operator.
	login       string
	sent, until time.Time
}

func (s sentAuth) String() string {
	var parts []string
	if s.login != "" {
		parts = append(parts, "login="+s.login)
	}
	parts = append(parts, "sent="+s.sent.UTC().Format(time.RFC3339))
	if !s.until.IsZero() {
		parts = append(parts, "until="+s.until.UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, ",")
}

func readSentAuth(label string) (s sentAuth) {
	for _, part := range strings.Split(label, ",") {
		switch k, v, _ := strings.Cut(part, "="); k {
		case "login":
			s.login = v
		case "sent":
			s.sent, _ = time.Parse(time.RFC3339, v)
		case "until":
			s.until, _ = time.Parse(time.RFC3339, v)
		}
	}
	return s
}

// due reports whether the login is about to expire, or has: at the last quarter
// of its time another one is worth an update.
func (s sentAuth) due(now time.Time) bool {
	return !s.until.IsZero() && now.After(s.until.Add(-s.until.Sub(s.sent)/4))
}

// shortLived is how long a login must hold at least not to be spoken of.
const shortLived = 7 * 24 * time.Hour

// sendsAuth reports whether the nodes get the login of a service's registry: where
// the script asks for it, and where it names the registry unless told otherwise.
func sendsAuth(c *Conn, r reader, image string) bool {
	if r.raw("with_registry_auth") != nil {
		return r.bool("with_registry_auth")
	}
	return c.Credentials().Declared(image) != nil
}

// registryAuth returns the login that goes with a service, and the label that
// says so; both are "" where none does.
func (c *Conn) registryAuth(ctx context.Context, args value.Struct, project, image string) (auth, label string, err error) {
	if !sendsAuth(c, reader{ServiceSchema, args}, image) {
		return "", "", nil
	}
	login, err := c.Credentials().Login(image)
	if err != nil || login.Empty() {
		return "", "", err
	}
	if auth, err = login.Encode(); err != nil {
		return "", "", err
	}
	s := sentAuth{sent: time.Now(), until: login.Expires}
	if d := login.Declared; d != nil && d.Fixed() {
		key, err := c.hashKey(ctx, project)
		if err != nil {
			return "", "", err
		}
		s.login = loginHash(d, key)
	}
	return auth, s.String(), nil
}

// loginHash stands for a login. Whoever reads labels could try passwords against
// it, so it costs as much as a secret's.
func loginHash(d *resource.Login, key []byte) string {
	if key == nil {
		return ""
	}
	text := strings.Join([]string{d.Host, d.Username, d.Password, d.IdentityToken}, "\x00")
	return hex.EncodeToString(slow.sum(key, []byte(text))[:6])
}

// hashKey is the project's, as it was observed, or as the swarm has it.
func (c *Conn) hashKey(ctx context.Context, project string) ([]byte, error) {
	c.mu.Lock()
	key := c.key[project]
	c.mu.Unlock()
	if key != nil || project == "" {
		return key, nil
	}
	config, there, err := c.readLedger(ctx, project)
	if err != nil || !there {
		return nil, err
	}
	l, err := decodeLedger(config)
	if err == nil {
		c.knowKey(project, l.HashKey)
	}
	return l.HashKey, err
}

func (c *Conn) knowKey(project string, key []byte) {
	if key == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.key == nil {
		c.key = map[string][]byte{}
	}
	c.key[project] = key
}

// outdatedAuth says why the login that the nodes have of a service is to be sent
// again, "" where it is not. A warning says what cannot be helped.
func (c *Conn) outdatedAuth(label, image string, key []byte, now time.Time) (why, warning string) {
	declared := c.Credentials().Declared(image)
	if label == "" {
		if declared != nil && declared.Fixed() {
			return "none", ""
		}
		return "", ""
	}
	was := readSentAuth(label)
	if declared != nil && declared.Fixed() && was.login != loginHash(declared, key) {
		return "another one", ""
	}
	if !was.due(now) {
		return "", ""
	}
	expires := "expires at "
	if !now.Before(was.until) {
		expires = "expired at "
	}
	expires += was.until.Format("2006-01-02 15:04 MST")
	login, err := c.Credentials().Login(image)
	switch {
	case err != nil:
		return "", fmt.Sprintf("the login that the nodes have for image %s %s, and there is no other: %v", image, expires, err)
	case login.Empty() || !login.Expires.IsZero() && !login.Expires.After(was.until):
		return "", fmt.Sprintf("the login that the nodes have for image %s %s, and there is no newer one: docker login %s", image, expires, login.Host)
	}
	return expires, ""
}

// shortLivedText warns of a login that will not hold for tasks that move later.
func shortLivedText(login *remote.Login, now time.Time) (summary, hint string) {
	if login.Expires.IsZero() || login.Expires.Sub(now) > shortLived {
		return "", ""
	}
	when := login.Expires.UTC().Format("2006-01-02 15:04 MST")
	if !now.Before(login.Expires) {
		return fmt.Sprintf("registry %s: the login that the nodes get has expired at %s: if the registry minds, they cannot pull (moby/moby#36045)", login.Host, when),
			"log in again: docker login " + login.Host
	}
	return fmt.Sprintf("registry %s: the login that the nodes get expires at %s, in %s: after that a node that has no copy of the image cannot run a task that moves to it (moby/moby#36045)",
			login.Host, when, resource.About(login.Expires.Sub(now))),
		"apply again before then, say by cron: a plan renews it when a quarter of its time is left; or use a login that does not expire, or a mirror of the registry"
}
