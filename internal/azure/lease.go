package azure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources/v4"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// The lease is a network security group without rules and users, which costs
// nothing: its tags say who holds it, and it is made, changed and deleted under its
// etag. Azure's clock is that of its answers.

// leaseName is the name of a project's lease. Another project may be in the group.
func leaseName(project string) string {
	sum := sha256.Sum256([]byte(project))
	return "swarmscript-lease-" + hex.EncodeToString(sum[:6])
}

func (c *Conn) isLease(g *armnetwork.SecurityGroup) bool { return unpack(g.Tags)[tagLease] != "" }

// ReadLease implements [resource.Leaser].
func (c *Conn) ReadLease(ctx context.Context, project string) (*resource.Lease, time.Time, error) {
	cl, err := c.dial(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	if l, leaving := c.leftLease(); leaving {
		return l, time.Now(), nil
	}
	var raw *http.Response
	got, err := cl.nsgs.Get(policy.WithCaptureResponse(ctx, &raw), c.Group(), leaseName(project), nil)
	now := serverTime(raw)
	if isMissing(err) {
		return nil, now, nil
	}
	if err != nil {
		return nil, now, explain(err)
	}
	l, err := readLease(&got.SecurityGroup)
	return l, now, err
}

// serverTime is Azure's clock, or ours where an answer does not tell.
func serverTime(r *http.Response) time.Time {
	if r != nil {
		if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			return t
		}
	}
	return time.Now()
}

func readLease(g *armnetwork.SecurityGroup) (*resource.Lease, error) {
	var l resource.Lease
	if err := json.Unmarshal([]byte(unpack(g.Tags)[tagLease]), &l); err != nil {
		return nil, fmt.Errorf("the lease %s: %w; delete it if nobody is applying", text(g.Name), err)
	}
	l.Version = text(g.Etag)
	return &l, nil
}

// WriteLease implements [resource.Leaser].
func (c *Conn) WriteLease(ctx context.Context, project string, old, next *resource.Lease) (*resource.Lease, error) {
	cl, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	if _, leaving := c.leftLease(); leaving {
		c.keep(next)
		return next, nil
	}
	return c.writeLease(ctx, cl, project, old, next)
}

func (c *Conn) writeLease(ctx context.Context, cl *clients, project string, old, next *resource.Lease) (*resource.Lease, error) {
	name, header := leaseName(project), http.Header{}
	header.Set("If-None-Match", "*")
	if old != nil {
		etag, _ := old.Version.(string)
		header = http.Header{"If-Match": []string{etag}}
	}
	under := policy.WithHTTPHeader(ctx, header)
	if next == nil {
		c.keep(nil)
		poller, err := cl.nsgs.BeginDelete(under, c.Group(), name, nil)
		if _, err = soon(ctx, poller, err); isMissing(err) {
			return nil, nil
		}
		return nil, conflict(err)
	}
	if old == nil {
		if err := c.makeGroup(ctx, cl, project); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	labels := c.cfg.DefaultTags() // which a policy may ask for
	labels[resource.LabelProject], labels[tagLease] = project, string(data)
	g := armnetwork.SecurityGroup{Location: &c.cfg.Location, Properties: &armnetwork.SecurityGroupPropertiesFormat{}, Tags: pack(labels)}
	poller, err := cl.nsgs.BeginCreateOrUpdate(under, c.Group(), name, g, nil)
	got, err := soon(ctx, poller, err)
	if err != nil {
		return nil, conflict(err)
	}
	written, err := readLease(&got.SecurityGroup)
	if err == nil && written.Holder != next.Holder {
		return nil, fmt.Errorf("the lease of %s: %w", project, resource.ErrConflict)
	}
	if err == nil {
		c.keep(written)
	}
	return written, err
}

// A lease goes with its group. While that is being deleted, and where it is made anew
// until it is there again, it is kept as if it were still written: another run that
// came in between would make the group itself, which is told.

// setLeaving says that the group is being deleted, and the lease with it, or is not any
// more.
func (c *Conn) setLeaving(leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = leaving
}

// leftLease is the lease as it was written last, where the group is being deleted.
func (c *Conn) leftLease() (l *resource.Lease, leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease, c.leaving
}

func (c *Conn) keep(l *resource.Lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease = l
}

// bringBack puts the lease that went with the group into the one that was made anew.
// Until it is there it counts as kept: who renews it meanwhile would take it for lost.
func (c *Conn) bringBack(ctx context.Context, cl *clients) error {
	l, leaving := c.leftLease()
	defer c.setLeaving(false)
	if !leaving || l == nil {
		return nil
	}
	if _, err := c.writeLease(ctx, cl, c.project, nil, l); err != nil {
		return fmt.Errorf("the lease of %s, which went with the resource group that is made anew: %w", c.project, err)
	}
	return nil
}

// soon waits for an operation, which it asks after each second, whatever Azure says:
// a lease that is made or renewed too late is lost.
func soon[T any](ctx context.Context, p *runtime.Poller[T], err error) (T, error) {
	for err == nil && !p.Done() {
		if _, err = p.Poll(ctx); err == nil && !p.Done() {
			err = pause(ctx, time.Second)
		}
	}
	if err != nil {
		var none T
		return none, explain(err)
	}
	got, err := p.Result(ctx)
	return got, explain(err)
}

// conflict says of a write to the lease that somebody else was faster: the etag has
// changed, or their write is not done yet.
func conflict(err error) error {
	var f *Failure
	if errors.As(err, &f) && (f.Status == http.StatusConflict || f.Status == http.StatusPreconditionFailed) {
		return fmt.Errorf("%w: %w", resource.ErrConflict, err)
	}
	return err
}

// makeGroup makes the resource group where there is none, as its declaration would:
// the lease is in it. It counts as made once its step has written it too.
func (c *Conn) makeGroup(ctx context.Context, cl *clients, project string) error {
	if there, err := c.remains(ctx, cl); there || err != nil {
		return err
	}
	mark, tags := resource.Mark{Project: project, Address: groupAddress(c.cfg.Scope(), c.Group())}, c.cfg.DefaultTags()
	for _, name := range sorted(tags) {
		mark.Keys = append(mark.Keys, "tags:"+name)
	}
	_, err := cl.groups.CreateOrUpdate(ctx, c.Group(), armresources.ResourceGroup{Location: &c.cfg.Location, Tags: pack(mark.Labels(tags))}, nil)
	if err != nil {
		return explain(err)
	}
	c.setEarly(true)
	return nil
}

func (c *Conn) setEarly(early bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.early = early
}

func (c *Conn) isEarly() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.early
}

var _ resource.Leaser = (*Conn)(nil)
