package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// storedLease is a project's lease in its file.
type storedLease struct {
	Project string
	Lease   resource.Lease
	Version string // random: which write it was
}

// leaseFile is where a project's lease is. It outlives the site's last machine.
func (s *Site) leaseFile(project string) string {
	sum := sha256.Sum256([]byte(project))
	return filepath.Join(sitesDir, "leases", s.name+"-"+hex.EncodeToString(sum[:12])+".json")
}

// ReadLease implements [resource.Leaser].
func (c *Conn) ReadLease(_ context.Context, project string) (*resource.Lease, time.Time, error) {
	l, err := c.site.readLease(project)
	return l, time.Now(), err
}

func (s *Site) readLease(project string) (*resource.Lease, error) {
	var stored storedLease
	err := readJSON(s.leaseFile(project), &stored)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := stored.Lease
	l.Version = stored.Version
	return &l, nil
}

// WriteLease implements [resource.Leaser].
func (c *Conn) WriteLease(ctx context.Context, project string, old, next *resource.Lease) (*resource.Lease, error) {
	s := c.site
	lock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	now, err := s.readLease(project)
	if err != nil {
		return nil, err
	}
	if (now == nil) != (old == nil) || now != nil && now.Version != old.Version {
		return nil, fmt.Errorf("the lease of %s: %w", project, resource.ErrConflict)
	}
	path := s.leaseFile(project)
	if next == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		_ = os.Remove(filepath.Dir(path)) // where it was the last one
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	stored := storedLease{Project: project, Lease: *next, Version: rand.Text()}
	if err := writeJSON(path, stored); err != nil {
		return nil, err
	}
	out := *next
	out.Version = stored.Version
	return &out, nil
}

var _ resource.Leaser = (*Conn)(nil)
