package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	networktypes "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/errdefs"
	"github.com/docker/go-connections/nat"
)

var psFilters = map[string]bool{
	"ancestor": true, "before": true, "exited": true, "id": true, "isolation": true, "label": true, "name": true, "status": true,
	"health": true, "since": true, "volume": true, "network": true, "is-task": true, "publish": true, "expose": true,
}

// Containers is `docker ps`.
func (e *Engine) Containers(_ context.Context, o *containertypes.ListOptions) ([]*containertypes.Summary, error) {
	if err := o.Filters.Validate(psFilters); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.parseQuery(o)
	if err != nil {
		return nil, err
	}
	found := []*containertypes.Summary{}
	skipping := q.before != nil
	for _, c := range e.sorted() {
		if !q.named(c) { // first of all: "before" one that is not of the name is before nothing
			continue
		}
		if skipping {
			skipping = c != q.before
			continue
		}
		if q.since != nil && c == q.since {
			break
		}
		if !q.wants(e, c) {
			continue
		}
		if o.Limit > 0 && len(found) == o.Limit {
			break
		}
		s := e.summary(c)
		if o.Size {
			s.SizeRootFs = e.rootSize(c)
		}
		found = append(found, s)
	}
	return found, nil
}

// query is what a list of containers is asked for.
type query struct {
	*containertypes.ListOptions
	before, since    *container
	exited           []int
	images           map[string]bool // nil: any
	publish, expose  map[nat.Port]bool
	isTask, tasksSet bool
}

func (e *Engine) parseQuery(o *containertypes.ListOptions) (*query, error) {
	q := &query{ListOptions: o, publish: map[nat.Port]bool{}, expose: map[nat.Port]bool{}}
	f := o.Filters
	var err error
	if err := f.WalkValues("exited", func(v string) error {
		code, err := strconv.Atoi(v)
		if err != nil {
			return invalid("invalid filter 'exited=%s': %w", v, err)
		}
		q.exited = append(q.exited, code)
		return nil
	}); err != nil {
		return nil, err
	}
	if err := f.WalkValues("status", func(v string) error {
		if err := containertypes.ValidateContainerState(v); err != nil {
			return errdefs.InvalidParameter(fmt.Errorf("invalid filter 'status=%s': %w", v, err))
		}
		o.All = true
		return nil
	}); err != nil {
		return nil, err
	}
	if err := f.WalkValues("health", func(v string) error {
		if err := containertypes.ValidateHealthStatus(v); err != nil {
			return errdefs.InvalidParameter(fmt.Errorf("invalid filter 'health=%s': %w", v, err))
		}
		return nil
	}); err != nil {
		return nil, err
	}
	q.tasksSet = f.Contains("is-task")
	if q.isTask, err = f.GetBoolOrDefault("is-task", false); err != nil {
		return nil, err
	}
	for key, to := range map[string]**container{"before": &q.before, "since": &q.since} {
		for _, name := range f.Get(key) {
			if *to, err = e.find(name); err != nil {
				return nil, err
			}
		}
	}
	if f.Contains("ancestor") {
		q.images = map[string]bool{}
		for _, name := range f.Get("ancestor") {
			if img, err := e.images.find(name); err == nil {
				q.images[img.ID] = true
			}
		}
	}
	if err := f.WalkValues("publish", portFilter("publish", q.publish)); err != nil {
		return nil, err
	}
	return q, f.WalkValues("expose", portFilter("expose", q.expose))
}

func portFilter(key string, into map[nat.Port]bool) func(string) error {
	return func(v string) error {
		if strings.Contains(v, ":") {
			return fmt.Errorf("filter for '%s' should not contain ':': %s", key, v)
		}
		proto, port := nat.SplitProtoPort(v)
		start, end, err := nat.ParsePortRange(port)
		if err != nil {
			return fmt.Errorf("error while looking up for %s %s: %w", key, v, err)
		}
		for i := start; i <= end; i++ {
			p, err := nat.NewPort(proto, strconv.FormatUint(i, 10))
			if err != nil {
				return fmt.Errorf("error while looking up for %s %s: %w", key, v, err)
			}
			into[p] = true
		}
		return nil
	}
}

func (q *query) wants(e *Engine, c *container) bool {
	f, s := q.Filters, &c.State
	if !s.Running && !q.All && q.Limit <= 0 {
		return false
	}
	if len(q.exited) > 0 && (s.Running || s.StartedAt.IsZero() || !slices.Contains(q.exited, s.ExitCode)) {
		return false
	}
	health := containertypes.NoHealthcheck
	if s.Health != nil {
		health = s.Health.Status
	}
	return (!q.tasksSet || q.isTask == c.Managed) && f.MatchKVList("label", c.Config.Labels) &&
		f.ExactMatch("status", s.word()) && f.ExactMatch("health", health) &&
		(q.images == nil || q.images[c.Image]) && hasVolume(f, c) && hasNetwork(f, c) && q.hasPort(e, c)
}

func (q *query) named(c *container) bool {
	f := q.Filters
	return (f.Match("name", c.Name) || f.Match("name", c.bare())) && f.Match("id", c.ID)
}

func hasVolume(f filters.Args, c *container) bool {
	if !f.Contains("volume") {
		return true
	}
	for _, m := range c.Mounts {
		if f.ExactMatch("volume", m.Destination) || f.ExactMatch("volume", m.Name) || f.ExactMatch("volume", m.Source) {
			return true
		}
	}
	return false
}

func hasNetwork(f filters.Args, c *container) bool {
	if !f.Contains("network") {
		return true
	}
	for _, want := range f.Get("network") {
		for name, ep := range c.Networks {
			if name == want || want != "" && strings.HasPrefix(ep.NetworkID, want) {
				return true
			}
		}
	}
	return false
}

func (q *query) hasPort(e *Engine, c *container) bool {
	if len(q.publish)+len(q.expose) == 0 {
		return true
	}
	for _, p := range e.summary(c).Ports {
		if q.publish[nat.Port(fmt.Sprintf("%d/%s", p.PublicPort, p.Type))] || q.expose[nat.Port(fmt.Sprintf("%d/%s", p.PrivatePort, p.Type))] {
			return true
		}
	}
	return false
}

// summary is a container as a list shows it.
func (e *Engine) summary(c *container) *containertypes.Summary {
	s := &containertypes.Summary{
		ID: c.ID, Names: e.linkNames(c), Image: c.Config.Image, ImageID: c.Image, Created: c.Created.Unix(),
		Labels: c.Config.Labels, State: c.State.word(), Status: c.State.status(), Ports: []containertypes.Port{},
		Mounts: append([]containertypes.MountPoint{}, c.Mounts...), Command: c.Path,
		NetworkSettings: &containertypes.NetworkSettingsSummary{Networks: map[string]*networktypes.EndpointSettings{}},
	}
	s.HostConfig.NetworkMode = string(c.HostConfig.NetworkMode)
	s.HostConfig.Annotations = c.HostConfig.Annotations
	if id := e.images.refOf(c.Config.Image); id != c.Image && c.Image != "" {
		s.Image = c.Image // the name went to another image
	}
	for _, a := range c.Args {
		if strings.Contains(a, " ") {
			a = "'" + a + "'"
		}
		s.Command += " " + a
	}
	for name, ep := range c.Networks {
		shown := *ep.Copy()
		shown.Aliases, shown.Links, shown.DNSNames, shown.DriverOpts = nil, nil, nil, nil
		s.NetworkSettings.Networks[name] = &shown
	}
	for port, bound := range c.Ports {
		if len(bound) == 0 {
			s.Ports = append(s.Ports, containertypes.Port{PrivatePort: uint16(port.Int()), Type: port.Proto()})
		}
		for _, b := range bound {
			host, _ := strconv.ParseUint(b.HostPort, 10, 16)
			s.Ports = append(s.Ports, containertypes.Port{PrivatePort: uint16(port.Int()), PublicPort: uint16(host), Type: port.Proto(), IP: b.HostIP})
		}
	}
	slices.SortFunc(s.Ports, func(a, b containertypes.Port) int {
		return strings.Compare(fmt.Sprint(a.PrivatePort, a.Type, a.IP), fmt.Sprint(b.PrivatePort, b.Type, b.IP))
	})
	return s
}

// refOf is the ID of the image that a reference names now.
func (s *imageStore) refOf(ref string) string {
	if img, err := s.find(ref); err == nil {
		return img.ID
	}
	return ""
}
