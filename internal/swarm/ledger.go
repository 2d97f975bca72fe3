package swarm

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A project's ledger is one config object. Its data is the hash key, which
// never changes; its labels, which can be changed under a version index, hold
// the inventory, the marks of objects that cannot carry their own, the checks
// that have not passed, and the lease. Writers of one do not disturb writers of another: each changes its
// own label of what it has just read, and starts over where the index moved.

const (
	ledgerPrefix = "swarmscript."
	labelLedger  = "swarmscript.ledger" // the format, and what tells a ledger from other configs
	labelScopes  = "swarmscript.scopes"
	labelMarks   = "swarmscript.marks"
	labelChecks  = "swarmscript.unpassed"
	labelLease   = "swarmscript.lease"
	ledgerFormat = "1"
	keySize      = 32
)

// plainProject is what can stand in a ledger's name as it is, with the slash
// before the environment as a dot.
var plainProject = pattern.Of(`^[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:/[A-Za-z0-9_-]*[A-Za-z0-9])?$`)

// ledgerName returns the name of a project's ledger. Different projects have
// different names: those that are too long, or hold something else, end in
// two dots and a hash, which no plain name has.
func ledgerName(project string) string {
	name := ledgerPrefix + strings.Replace(project, "/", ".", 1)
	if plainProject().MatchString(project) && len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(project))
	tail := ".." + hex.EncodeToString(sum[:12])
	clean := strings.Map(func(r rune) rune {
		if r < 0x80 && strings.ContainsRune(alphabet+"-_", r) {
			return r
		}
		return '_'
	}, project)
	return ledgerPrefix + clean[:min(len(clean), maxName-len(ledgerPrefix)-len(tail))] + tail
}

func isLedger(c swarm.Config) bool {
	return strings.HasPrefix(c.Spec.Name, ledgerPrefix) && c.Spec.Labels[labelLedger] != ""
}

// ledgerIn finds a project's ledger in a list; there is none before its first
// apply.
func ledgerIn(configs []swarm.Config, project string) (resource.Ledger, error) {
	if project == "" {
		return resource.Ledger{}, nil
	}
	name := ledgerName(project)
	for _, c := range configs {
		if c.Spec.Name == name {
			return decodeLedger(c)
		}
	}
	return resource.Ledger{}, nil
}

// markOthers gives objects without a mark the one that another project's ledger
// has for them: they are no more free than those that carry it themselves. A
// ledger that cannot be read is that project's problem.
func markOthers(objects []*resource.Object, configs []swarm.Config, project string) {
	var marks map[string]resource.Mark
	for _, c := range configs {
		if !isLedger(c) || c.Spec.Labels[labelMarks] == "" || c.Spec.Name == ledgerName(project) {
			continue
		}
		l, err := decodeLedger(c)
		if err != nil {
			continue
		}
		if marks == nil {
			marks = map[string]resource.Mark{}
		}
		maps.Copy(marks, l.Marks)
	}
	resource.MarkOthers(objects, marks)
}

func decodeLedger(c swarm.Config) (resource.Ledger, error) {
	var l resource.Ledger
	fail := func(err error) (resource.Ledger, error) {
		return l, fmt.Errorf("the project's ledger, config %s, is damaged: %w", c.Spec.Name, err)
	}
	switch f := c.Spec.Labels[labelLedger]; {
	case f == "":
		return l, fmt.Errorf("config %s is not ours, but has the name of the project's ledger", c.Spec.Name)
	case f != ledgerFormat:
		return l, fmt.Errorf("config %s: the ledger's format is %s, and this program knows %s: a newer swarmscript wrote it", c.Spec.Name, f, ledgerFormat)
	}
	if len(c.Spec.Data) != keySize {
		return fail(fmt.Errorf("the key has %d bytes, not %d", len(c.Spec.Data), keySize))
	}
	l.HashKey = c.Spec.Data
	if err := unpack(c.Spec.Labels[labelScopes], &l.Scopes); err != nil {
		return fail(err)
	}
	if err := unpack(c.Spec.Labels[labelChecks], &l.Unpassed); err != nil {
		return fail(err)
	}
	var marks map[string]packedMark
	if err := unpack(c.Spec.Labels[labelMarks], &marks); err != nil {
		return fail(err)
	}
	for id, m := range marks {
		if l.Marks == nil {
			l.Marks = make(map[string]resource.Mark, len(marks))
		}
		l.Marks[id] = m.mark(c.Spec.Labels[resource.LabelProject])
	}
	return l, nil
}

// packedMark is a mark in a ledger, which knows the project.
type packedMark struct {
	Address   string   `json:"a,omitempty"`
	Hash      string   `json:"h,omitempty"`
	Keys      []string `json:"k,omitempty"`
	Sensitive []string `json:"s,omitempty"`
	Triggers  string   `json:"t,omitempty"`
	Name      string   `json:"n,omitempty"`
	Project   string   `json:"p,omitempty"` // where it is another's
}

func (p packedMark) mark(project string) resource.Mark {
	if p.Project != "" {
		project = p.Project
	}
	return resource.Mark{Project: project, Address: value.Address(p.Address), Hash: p.Hash, Keys: p.Keys, Sensitive: p.Sensitive, Triggers: p.Triggers, Name: p.Name}
}

// encodeLedger writes a ledger's labels, in place of those in labels.
func encodeLedger(labels map[string]string, project string, l resource.Ledger) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	out[labelLedger] = ledgerFormat
	out[resource.LabelProject] = project
	marks := make(map[string]packedMark, len(l.Marks))
	for id, m := range l.Marks {
		p := packedMark{Address: string(m.Address), Hash: m.Hash, Keys: m.Keys, Sensitive: m.Sensitive, Triggers: m.Triggers, Name: m.Name}
		if m.Project != project {
			p.Project = m.Project
		}
		marks[id] = p
	}
	set := func(label string, v any, n int) {
		if n == 0 {
			delete(out, label)
			return
		}
		out[label] = pack(v)
	}
	set(labelScopes, l.Scopes, len(l.Scopes))
	set(labelMarks, marks, len(marks))
	set(labelChecks, l.Unpassed, len(l.Unpassed))
	return out
}

// packSize is where a label is compressed: an inventory of a thousand hosts is
// 100 KB of much the same, and a Raft entry ends at 1.5 MB.
const packSize = 4 << 10

const packed = "gz:"

func pack(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, maps and slices of them
	}
	if len(text) < packSize {
		return string(text)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text) // a buffer takes everything
	w.Close()
	return packed + base64.StdEncoding.EncodeToString(b.Bytes())
}

func unpack(s string, into any) error {
	if s == "" {
		return nil
	}
	text := []byte(s)
	if z, ok := strings.CutPrefix(s, packed); ok {
		raw, err := base64.StdEncoding.DecodeString(z)
		if err != nil {
			return err
		}
		r, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		if text, err = io.ReadAll(io.LimitReader(r, 64<<20)); err != nil {
			return err
		}
	}
	return json.Unmarshal(text, into)
}

// readLedger returns a project's ledger object, and whether there is one.
func (c *Conn) readLedger(ctx context.Context, project string) (swarm.Config, bool, error) {
	if _, err := c.docker.Ready(ctx); err != nil {
		return swarm.Config{}, false, err
	}
	got, _, err := c.Docker().ConfigInspectWithRaw(ctx, ledgerName(project))
	if remote.IsNotFound(err) {
		return got, false, nil
	}
	// The engine also takes the beginning of an ID; ours cannot be one.
	return got, err == nil, remote.Err(err)
}

// saw takes down the ledger that an observation has listed.
func (c *Conn) saw(configs []swarm.Config, project string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.seenAt = nil, time.Now()
	name := ledgerName(project)
	for i := range configs {
		if configs[i].Spec.Name == name {
			c.seen = &configs[i]
		}
	}
}

// takeSeen returns, once, the ledger that was listed a moment ago, or nil.
func (c *Conn) takeSeen(project string) *swarm.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	if seen == nil || time.Since(c.seenAt) > infoAge || seen.Spec.Name != ledgerName(project) {
		return nil
	}
	out := *seen
	out.Spec.Labels = maps.Clone(seen.Spec.Labels)
	return &out
}

// ledgerTries bounds how often a change of the ledger starts over. Each loss
// means that somebody else's change went through.
const ledgerTries = 50

// lostTries bounds how often one is tried again whose answer was lost.
const lostTries = 4

// SaveLedger implements [resource.Keeper].
func (c *Conn) SaveLedger(ctx context.Context, project string, change func(*resource.Ledger)) (resource.Ledger, error) {
	var l resource.Ledger
	err := c.changeLedger(ctx, project, func(cfg *swarm.Config) (write bool, err error) {
		l = resource.Ledger{}
		if cfg.ID != "" {
			if l, err = decodeLedger(*cfg); err != nil {
				return false, err
			}
		}
		key := l.HashKey
		change(&l)
		if key != nil || len(l.HashKey) != keySize {
			l.HashKey = key
		}
		if l.HashKey == nil {
			l.HashKey = newKey()
		}
		cfg.Spec.Data = l.HashKey
		labels := encodeLedger(cfg.Spec.Labels, project, l)
		write = cfg.ID == "" || !maps.Equal(labels, cfg.Spec.Labels)
		cfg.Spec.Labels = labels
		return write, nil
	})
	return l, err
}

// SaveMarks implements [resource.Marker].
func (c *Conn) SaveMarks(ctx context.Context, project string, change func(map[string]resource.Mark)) error {
	_, err := c.SaveLedger(ctx, project, func(l *resource.Ledger) {
		if l.Marks == nil {
			l.Marks = map[string]resource.Mark{}
		}
		change(l.Marks)
	})
	return err
}

func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	return key
}

// changeLedger reads the ledger, lets edit change it, and writes it if edit
// says so; it starts over where somebody else wrote in between, or an answer
// was lost: what was written then is read, and edit sees it. A ledger that does
// not exist has no ID, and is created.
func (c *Conn) changeLedger(ctx context.Context, project string, edit func(*swarm.Config) (bool, error)) error {
	var err error
	lost := 0
	for try := range ledgerTries {
		if try > 0 {
			if err := Pause(ctx, time.Duration(try)*10*time.Millisecond); err != nil {
				return err
			}
		}
		if errors.Is(err, resource.ErrTransient) {
			if lost++; lost > lostTries {
				return err
			}
		}
		var cfg swarm.Config
		exists, write := true, false
		var eerr error
		// What an observation has just seen spares a read. It decides nothing
		// but a write, which the engine refuses where it is old.
		if seen := c.takeSeen(project); seen != nil && try == 0 {
			cfg = *seen
			write, eerr = edit(&cfg)
		}
		if !write || eerr != nil {
			var rerr error
			cfg, exists, rerr = c.readLedger(ctx, project)
			if errors.Is(rerr, resource.ErrTransient) {
				err = rerr
				continue
			}
			if rerr != nil {
				return rerr
			}
			if !exists {
				cfg = swarm.Config{}
			}
			write, eerr = edit(&cfg)
		}
		if eerr != nil || !write {
			return eerr
		}
		cfg.Spec.Name = ledgerName(project)
		if exists {
			cfg.Spec.Data = nil // as it is
			err = remote.Err(c.Docker().ConfigUpdate(ctx, cfg.ID, cfg.Version, cfg.Spec))
		} else {
			_, err = c.Docker().ConfigCreate(ctx, cfg.Spec)
			err = remote.Err(err)
		}
		if !errors.Is(err, resource.ErrConflict) && !errors.Is(err, resource.ErrExists) && !remote.IsNotFound(err) &&
			!errors.Is(err, resource.ErrTransient) {
			return err
		}
	}
	return fmt.Errorf("the project's ledger: %w", err)
}

// DropLedger implements [resource.Keeper].
func (c *Conn) DropLedger(ctx context.Context, project string) error {
	cfg, exists, err := c.readLedger(ctx, project)
	if err != nil || !exists {
		return err
	}
	if !isLedger(cfg) {
		return fmt.Errorf("config %s is not ours", cfg.Spec.Name)
	}
	err = remote.Err(c.Docker().ConfigRemove(ctx, cfg.ID))
	if remote.IsNotFound(err) {
		return nil
	}
	return err
}

var (
	_ resource.Keeper = (*Conn)(nil)
	_ resource.Marker = (*Conn)(nil)
	_ resource.Leaser = (*Conn)(nil)
)
