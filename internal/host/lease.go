package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// The lease of a project on a machine is a file. Who replaces it says what it
// held when it was read: the comparison and the rename are done under a lock
// that ends with the command, so that of two writers one is told of the other.
// These commands wait for no others: a lease that is not renewed in time is lost.

var forLease = remote.Command{Root: true, Urgent: true}

// leaseText is what the file holds: a writer's random part makes two texts of
// the same lease differ.
type leaseText struct {
	Writer string
	Lease  *resource.Lease
}

// ReadLease implements [resource.Leaser].
func (c *Conn) ReadLease(ctx context.Context, project string) (*resource.Lease, time.Time, error) {
	out, err := c.runAs(ctx, forLease, "date +%s.%N\ncat "+remote.Quote(projectDir(project)+"/lease")+" 2>/dev/null || true\n", nil)
	if err != nil {
		return nil, time.Time{}, err
	}
	clock, text, _ := bytes.Cut(out, []byte("\n"))
	now, err := parseClock(string(clock))
	if err != nil {
		return nil, now, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, now, nil
	}
	var t leaseText
	if err := json.Unmarshal(text, &t); err != nil || t.Lease == nil {
		return nil, now, fmt.Errorf("%s/lease on the machine is damaged: remove it", projectDir(project))
	}
	t.Lease.Version = string(bytes.TrimSpace(text))
	return t.Lease, now, nil
}

// WriteLease implements [resource.Leaser].
func (c *Conn) WriteLease(ctx context.Context, project string, old, next *resource.Lease) (*resource.Lease, error) {
	was := ""
	if old != nil {
		was, _ = old.Version.(string)
	}
	text := ""
	if next != nil {
		raw, err := json.Marshal(leaseText{rand.Text(), next})
		if err != nil {
			return nil, err
		}
		text = string(raw)
	}
	out, err := c.runAs(ctx, forLease, fmt.Sprintf(`set -eu
umask 077
D=%s
mkdir -p "$D"
exec 9>"$D/lock"
flock 9
is=$(cat "$D/lease" 2>/dev/null || true)
if [ "$is" != %s ]; then echo conflict; exit 0; fi
next=%s
if [ -z "$next" ]; then rm -f "$D/lease"; exit 0; fi
printf '%%s\n' "$next" >"$D/lease.new"
sync "$D/lease.new"
mv -f "$D/lease.new" "$D/lease"
`, remote.Quote(projectDir(project)), remote.Quote(was), remote.Quote(text)), nil)
	switch {
	case err != nil:
		return nil, err
	case strings.TrimSpace(string(out)) == "conflict":
		return nil, fmt.Errorf("the lease of %s: %w", project, resource.ErrConflict)
	case next == nil:
		return nil, nil
	}
	got := *next
	got.Version = text
	return &got, nil
}

// parseClock reads seconds since 1970 with their fraction.
func parseClock(s string) (time.Time, error) {
	sec, frac, _ := strings.Cut(strings.TrimSpace(s), ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the machine's clock says %q", s)
	}
	nanos, err := strconv.ParseInt(frac, 10, 64)
	if err != nil || len(frac) != 9 {
		nanos = 0
	}
	return time.Unix(n, nanos).UTC(), nil
}

var _ resource.Leaser = (*Conn)(nil)
