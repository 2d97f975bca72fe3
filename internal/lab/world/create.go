package world

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/sshkey"
)

// What a host has that was given no limit.
const (
	defaultNanoCPUs = 4e9
	defaultMemory   = 8 << 30
)

// Create makes a host, which is off.
func (w *World) Create(ctx context.Context, spec api.Spec) (*Host, error) {
	if spec.User == "" {
		spec.User = "root"
	}
	h := &Host{world: w, gate: newGate(false)}
	h.rec = record{Spec: spec, ID: strings.ToLower(rand.Text()[:10]), Created: time.Now().UTC()}
	if err := h.makeKeys(); err != nil {
		return nil, err
	}
	if err := w.claim(h); err != nil {
		return nil, err
	}
	err := ctx.Err()
	if err == nil {
		err = h.build()
	}
	if err == nil {
		err = h.save()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("host %s: %w", spec.FullName(), err), h.remove())
	}
	return h, nil
}

// claim gives a host its place among the others: a name that nobody has, a number
// and an address.
func (w *World) claim(h *Host) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := map[int]bool{}
	for _, o := range w.hosts {
		taken[o.rec.Number] = true
		if o.rec.FullName() == h.rec.FullName() {
			return &api.Failure{Code: api.CodeExists, Message: "host " + h.rec.FullName()}
		}
	}
	for h.rec.Number = 1; taken[h.rec.Number]; h.rec.Number++ {
	}
	h.rec.Address = addressOf(w.cfg.Dir, h.rec.Number).String()
	w.hosts[h.rec.ID] = h
	return nil
}

// addressOf is the address of a lab's host of a number. Labs have nothing in
// common but this computer's own network, so each begins at a place in it that
// follows from its folder.
func addressOf(dir string, number int) netip.Addr {
	const (
		perNet = 254 // without .0 and .255
		nets   = 254 * 256
	)
	sum := sha256.Sum256([]byte(dir))
	begin := int(binary.BigEndian.Uint32(sum[:4]) % nets)
	net := (begin + (number-1)/perNet) % nets
	return netip.AddrFrom4([4]byte{127, byte(1 + net/256), byte(net % 256), byte(1 + (number-1)%perNet)})
}

// makeKeys makes the host's own key, and that of its user.
func (h *Host) makeKeys() error {
	private, public, err := sshkey.Take(h.rec.GivenHostKey, "root@"+h.rec.Name)
	if err != nil {
		return err
	}
	h.rec.HostKey, h.rec.HostPublic, h.rec.GivenHostKey = private, strings.TrimSpace(string(public)), nil
	if private, public, err = sshkey.New("swarmscript@" + h.rec.Name); err != nil {
		return err
	}
	h.rec.UserPublic = strings.TrimSpace(string(public))
	return os.WriteFile(h.keyFile(), private, 0o600)
}

func (h *Host) keyFile() string { return filepath.Join(h.world.cfg.Dir, api.KeysDir, h.rec.ID) }
