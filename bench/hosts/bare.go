package hosts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/local"
)

// bare does the job by commands that a person would type, each host's over one
// connection, all hosts at once. There is one exec for all that concerns a host
// alone, and one for its joining, which waits for the swarm's beginning; managers
// join one after another. It ends, as an apply does, when all nodes are ready.
func (b *bench) bare(ctx context.Context, f *fleet) (took, error) {
	begun := time.Now()
	s := &beginning{done: make([]chan struct{}, managers)}
	for i := range s.done {
		s.done[i] = make(chan struct{})
	}
	ctx, cancel := context.WithCancel(ctx) // one that fails leaves nobody waiting
	defer cancel()
	err := f.each(func(i int, m *local.Machine) error {
		err := b.bareHost(ctx, f, i, s)
		if err != nil {
			cancel()
		}
		return err
	})
	return took{wall: time.Since(begun)}, err
}

func (b *bench) bareHost(ctx context.Context, f *fleet, i int, s *beginning) error {
	c, err := f.dial(ctx, f.machines[i])
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := sh(c, f.chain(i)); err != nil {
		return err
	}
	if i == 0 {
		if err := f.begin(c, s); err != nil {
			return err
		}
		_, err := sh(c, fmt.Sprintf("until [ \"$(docker node ls --format '{{.Status}}' | grep -c Ready)\" = %d ]; do sleep 0.1; done\n", machines))
		return err
	}
	before := 0
	if i < managers {
		before = i - 1
	}
	select {
	case <-s.done[before]:
	case <-ctx.Done():
		return ctx.Err()
	}
	token := s.worker
	if i < managers {
		token = s.manager
	}
	_, err = sh(c, fmt.Sprintf("docker swarm join --advertise-addr %s --token %s %s:2377\n", f.machines[i].Address, token, f.machines[0].Address))
	if err == nil && i < managers {
		close(s.done[i])
	}
	return err
}

// beginning is that of a swarm. A manager's done is closed when it is in; the
// first one's, also when the tokens are there.
type beginning struct {
	done            []chan struct{}
	worker, manager string
}

// begin makes a swarm.
func (f *fleet) begin(c *ssh.Client, s *beginning) error {
	out, err := sh(c, fmt.Sprintf("docker swarm init --advertise-addr %s >&2\ndocker swarm join-token -q worker\ndocker swarm join-token -q manager\n", f.machines[0].Address))
	if err != nil {
		return err
	}
	s.worker, s.manager, _ = strings.Cut(out, "\n")
	close(s.done[0])
	return nil
}

// chain is all that concerns one machine alone.
func (f *fleet) chain(i int) string {
	var b strings.Builder
	for path, content := range f.files(i) {
		fmt.Fprintf(&b, "cat >%s <<'END'\n%sEND\n", path, content)
	}
	b.WriteString("systemctl daemon-reload\nsystemctl enable -q --now shop.service\nexport DEBIAN_FRONTEND=noninteractive\n")
	fmt.Fprintf(&b, "apt-get -q update >&2\napt-get -q -y --no-install-recommends install %s docker.io </dev/null >&2\n", strings.Join(packages, " "))
	return b.String()
}
