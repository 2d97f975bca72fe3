package swarm

import (
	"context"
	"maps"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/value"
)

// serviceState is what the services of one connection share: the IDs of
// secrets and configs, the digests of images, and the watch on tasks. The zero
// value is ready.
type serviceState struct {
	mu      sync.Mutex
	ids     liveIDs
	images  images
	nets    map[string]*network.Summary
	hosts   map[string]string // node ID -> host name
	watcher watcher
}

// withIDs calls do with the IDs of the secrets, configs and networks that the
// arguments name. Secrets and configs are listed when one is not known yet, and
// once more when do finds that something has gone: a name may have got a new
// ID. Networks then go by their names.
func (st *serviceState) withIDs(ctx context.Context, c *Conn, args value.Struct, do func(liveIDs) error) error {
	secrets, configs := usedNames(args)
	ids, fresh, err := st.lookup(ctx, c, secrets, configs, false)
	if err != nil {
		return err
	}
	err = do(ids)
	if err == nil || !strings.Contains(err.Error(), "not found") {
		return err
	}
	again := !fresh && len(secrets)+len(configs) > 0
	byName := len(ids.networks) > 0 && (reader{ServiceSchema, args}).given("networks")
	if !again && !byName {
		return err
	}
	st.knowNetworks(nil)
	if ids, _, err = st.lookup(ctx, c, secrets, configs, again); err != nil {
		return err
	}
	return do(ids)
}

func usedNames(args value.Struct) (secrets, configs []string) {
	r := reader{ServiceSchema, args}
	for _, ref := range r.each("secrets") {
		secrets = append(secrets, ref.str("secret"))
	}
	for _, ref := range r.each("configs") {
		configs = append(configs, ref.str("config"))
	}
	if cs, ok := r.in("credential_spec"); ok && cs.str("config") != "" {
		configs = append(configs, cs.str("config"))
	}
	return secrets, configs
}

func (st *serviceState) lookup(ctx context.Context, c *Conn, secrets, configs []string, again bool) (ids liveIDs, fresh bool, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if again || !knowsAll(st.ids.secrets, secrets) {
		list, err := c.Docker().SecretList(ctx, swarm.SecretListOptions{})
		if err != nil {
			return ids, false, remote.Err(err)
		}
		fresh = true
		st.ids.secrets = idsByName(list, func(s swarm.Secret) (string, string) { return s.Spec.Name, s.ID })
	}
	if again || !knowsAll(st.ids.configs, configs) {
		list, err := c.Docker().ConfigList(ctx, swarm.ConfigListOptions{})
		if err != nil {
			return ids, false, remote.Err(err)
		}
		fresh = true
		st.ids.configs = idsByName(list, func(c swarm.Config) (string, string) { return c.Spec.Name, c.ID })
	}
	return st.ids, fresh, nil // the maps are replaced, never changed
}

// knowNetworks takes down the networks of the swarm that were listed.
func (st *serviceState) knowNetworks(list []network.Summary) {
	byName := map[string]string{}
	for _, n := range list {
		if n.Scope == "swarm" && !n.Ingress {
			byName[n.Name] = n.ID
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ids.networks = byName
}

func idsByName[T any](list []T, of func(T) (name, id string)) map[string]string {
	m := make(map[string]string, len(list))
	for _, e := range list {
		name, id := of(e)
		m[name] = id
	}
	return m
}

func knowsAll(m map[string]string, names []string) bool {
	for _, n := range names {
		if _, ok := m[n]; !ok {
			return false
		}
	}
	return true
}

// hostnames returns the host names of nodes by ID, asking again when one of
// the IDs is new.
func (st *serviceState) hostnames(ctx context.Context, c *Conn, ids map[string]bool) map[string]string {
	st.mu.Lock()
	defer st.mu.Unlock()
	for id := range ids {
		if _, ok := st.hosts[id]; ok || id == "" {
			continue
		}
		m := maps.Clone(st.hosts)
		if m == nil {
			m = map[string]string{}
		}
		nodes, _ := c.Docker().NodeList(ctx, swarm.NodeListOptions{})
		for _, n := range nodes {
			m[n.ID] = n.Description.Hostname
		}
		if _, ok := m[id]; !ok {
			m[id] = id // gone, and not asked for again
		}
		st.hosts = m
	}
	return st.hosts
}

// addNetworks adds to the lists the networks that services are attached to and
// that no list shows: the swarm's own host and bridge. Each is asked for once.
func (st *serviceState) addNetworks(ctx context.Context, c *Conn, l *lists) error {
	known := make(map[string]bool, len(l.Networks))
	for _, n := range l.Networks {
		known[n.ID] = true
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for i := range l.Services {
		for _, a := range attachments(&l.Services[i].Spec) {
			if known[a.Target] {
				continue
			}
			known[a.Target] = true
			n, asked := st.nets[a.Target]
			if !asked {
				got, err := c.Docker().NetworkInspect(ctx, a.Target, network.InspectOptions{Scope: "swarm"})
				switch {
				case err == nil:
					n = &got
				case ctx.Err() != nil:
					return ctx.Err()
				}
				if st.nets == nil {
					st.nets = map[string]*network.Summary{}
				}
				st.nets[a.Target] = n
			}
			if n != nil {
				l.Networks = append(l.Networks, *n)
			}
		}
	}
	return nil
}
