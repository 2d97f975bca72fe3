package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// The lease of a project on an engine outside a swarm. All that such an engine
// offers is volumes: the labels of one are set when it is made and never
// again, a second create of the same name gives back the first one with the
// first one's labels, and creation by name is serialised. That is a register
// that can be written once:
//
//	write(n, text): create volume <prefix><n> with the label text; read the
//	label of what comes back; it is text for the one writer that was first.
//
// A lease is a chain of such registers, one per generation. The newest
// generation is the lease. To go from what was read (generation n) to
// something else is to win the register n+1; the loser of the race reads
// somebody else's text and has a conflict. Two things need care:
//
//   - Old generations are removed, so that volumes do not pile up. A register
//     that is removed could be written again: a writer that read generation n
//     long ago would win n+1 although n+5 is there. So a winner lists the
//     generations again; if a newer one than its own is there, it removes its
//     own and has lost. And generations are removed only by the winner of a
//     newer one, which was there before, and only up to the one before its
//     own: as long as anything newer than n exists, the newest exists. The
//     late writer therefore sees it. Nobody can have taken the late writer's
//     generation for the newest in between: a reader takes the largest number.
//   - Released is a generation too, with an empty text. It stays: without it
//     numbers would start again, and a late writer could win an old one.
//
// So at most one process at a time has won the newest generation, and
// only it believes to hold the lease.
const (
	leasePrefix  = "swarmscript."
	labelLease   = "swarmscript.lease"
	labelProject = "swarmscript.project"
	// nonce tells two writers of the same text apart.
	labelNonce = "swarmscript.lease.writer"
)

// generation is the version of a lease: which register it is in.
type generation struct {
	n    int
	text string
}

// leaseName returns the name of a generation's volume; what cannot stand in a
// volume's name is replaced, and told apart by a hash.
func leaseName(project string, n int) string {
	return leaseBase(project) + strconv.Itoa(n)
}

func leaseBase(project string) string { return projectBase(project) + ".lease." }

// projectBase begins the names of the volumes that a project keeps things in.
func projectBase(project string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '.'
	}, project)
	if clean != strings.Replace(project, "/", ".", 1) || strings.Contains(project, ".") {
		sum := sha256.Sum256([]byte(project))
		clean += ".." + hex.EncodeToString(sum[:6])
	}
	return leasePrefix + clean
}

// generations lists what is there, oldest first.
func (c *Conn) generations(ctx context.Context, project string) ([]generation, error) {
	if _, err := c.remote.Ready(ctx); err != nil {
		return nil, err
	}
	base := leaseBase(project)
	got, err := c.Docker().VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", base))})
	if err != nil {
		return nil, remote.Err(err)
	}
	var out []generation
	for _, v := range got.Volumes {
		num, ok := strings.CutPrefix(v.Name, base)
		n, err := strconv.Atoi(num)
		if !ok || err != nil || v.Labels[labelProject] != project {
			continue
		}
		out = append(out, generation{n, v.Labels[labelLease]})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].n < out[j].n })
	return out, nil
}

// ReadLease implements [resource.Leaser].
func (c *Conn) ReadLease(ctx context.Context, project string) (*resource.Lease, time.Time, error) {
	gens, err := c.generations(ctx, project)
	if err != nil {
		return nil, time.Time{}, err
	}
	info, err := c.Docker().Info(ctx)
	if err != nil {
		return nil, time.Time{}, remote.Err(err)
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return nil, now, fmt.Errorf("the engine's clock: %w", err)
	}
	if len(gens) == 0 {
		return nil, now, nil
	}
	last := gens[len(gens)-1]
	l, err := last.lease()
	if err != nil {
		return nil, now, fmt.Errorf("volume %s: %w", leaseName(project, last.n), err)
	}
	return l, now, nil
}

// lease is what a generation holds, nil where it was released.
func (g generation) lease() (*resource.Lease, error) {
	if g.text == "" {
		return nil, nil
	}
	l := &resource.Lease{}
	if err := json.Unmarshal([]byte(g.text), l); err != nil {
		return nil, fmt.Errorf("the lease is damaged: %w", err)
	}
	l.Version = g
	return l, nil
}

// WriteLease implements [resource.Leaser].
func (c *Conn) WriteLease(ctx context.Context, project string, old, next *resource.Lease) (*resource.Lease, error) {
	gens, err := c.generations(ctx, project)
	if err != nil {
		return nil, err
	}
	var last generation
	if len(gens) > 0 {
		last = gens[len(gens)-1]
	}
	var was generation
	if old != nil {
		was, _ = old.Version.(generation)
	}
	if was.text != last.text || old != nil && was.n != last.n {
		return nil, conflict(project)
	}
	if next == nil && last.text == "" {
		return nil, nil // released already
	}
	won := generation{n: last.n + 1}
	if next != nil {
		raw, err := json.Marshal(next)
		if err != nil {
			return nil, err
		}
		won.text = string(raw)
	}
	if err := c.win(ctx, project, won); err != nil {
		return nil, err
	}
	for _, g := range gens {
		if g.n < won.n {
			// Leftovers cost nothing; the next winner tries again.
			_ = c.Docker().VolumeRemove(ctx, leaseName(project, g.n), false)
		}
	}
	if next == nil {
		return nil, nil
	}
	out := *next
	out.Version = won
	return &out, nil
}

// win writes a generation, or returns a conflict.
func (c *Conn) win(ctx context.Context, project string, g generation) error {
	name, me := leaseName(project, g.n), rand.Text()
	labels := map[string]string{labelProject: project, labelNonce: me}
	if g.text != "" {
		labels[labelLease] = g.text
	}
	made, err := c.Docker().VolumeCreate(ctx, volume.CreateOptions{Name: name, Driver: "local", Labels: labels})
	if err != nil {
		err = remote.Err(err)
		if errors.Is(err, resource.ErrExists) || errors.Is(err, resource.ErrConflict) {
			return conflict(project)
		}
		return err
	}
	if made.Labels[labelNonce] != me {
		return conflict(project)
	}
	gens, err := c.generations(ctx, project)
	if err != nil {
		return err
	}
	if len(gens) == 0 || gens[len(gens)-1].n != g.n {
		if len(gens) > 0 && gens[len(gens)-1].n > g.n {
			_ = c.Docker().VolumeRemove(ctx, name, false)
		}
		return conflict(project)
	}
	return nil
}

func conflict(project string) error {
	return fmt.Errorf("the lease of %s: %w", project, resource.ErrConflict)
}

var _ resource.Leaser = (*Conn)(nil)
