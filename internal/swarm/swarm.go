package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// SwarmSpec is what docker swarm init and update can say, but for
// --force-new-cluster: that is an act of recovery after a lost quorum, not a
// state that a second run could find in place.
//
// What only init can say is a replacement, and compared only if it is given.
// Its addresses, and why its tokens were made anew, cannot be read back: we note
// what was given in a label.
type SwarmSpec struct {
	AdvertiseAddr             *string       `star:"advertise_addr,replace" flag:"--advertise-addr" doc:"The address that other nodes use, or a network interface; with :port if it is not 2377."`
	ListenAddr                *string       `star:"listen_addr,replace" flag:"--listen-addr" doc:"The address that a manager listens on. 0.0.0.0:2377 if left out."`
	DataPathAddr              *string       `star:"data_path_addr,replace" flag:"--data-path-addr" doc:"The address or interface for the traffic of containers."`
	DataPathPort              *uint32       `star:"data_path_port,replace" min:"1024" max:"49151" flag:"--data-path-port" doc:"The UDP port for the traffic of containers. 4789 if left out."`
	DefaultAddrPool           *[]CIDR       `star:"default_addr_pool,replace" flag:"--default-addr-pool" doc:"The blocks that networks get their subnets from."`
	DefaultAddrPoolMaskLength *uint32       `star:"default_addr_pool_mask_length,replace" min:"1" max:"29" flag:"--default-addr-pool-mask-length" doc:"The size of a network's subnet, as in /24."`
	Availability              *string       `star:"availability" enum:"active,pause,drain" flag:"--availability" doc:"Whether this first node takes tasks. Left as it is where not given."`
	Autolock                  bool          `star:"autolock" default:"false" flag:"--autolock" doc:"A manager that restarts waits for the unlock key."`
	CertExpiry                time.Duration `star:"cert_expiry" default:"2160h" min:"3600000000000" flag:"--cert-expiry" doc:"How long a node's certificate is good."`
	DispatcherHeartbeat       time.Duration `star:"dispatcher_heartbeat" default:"5s" min:"1" flag:"--dispatcher-heartbeat" doc:"How often nodes report to a manager."`
	ExternalCA                []ExternalCA  `star:"external_ca" flag:"--external-ca" doc:"Who signs the nodes' certificates in place of the managers."`
	MaxSnapshots              uint64        `star:"max_snapshots" default:"0" flag:"--max-snapshots" doc:"How many old Raft snapshots are kept."`
	SnapshotInterval          uint64        `star:"snapshot_interval" default:"10000" min:"1" flag:"--snapshot-interval" doc:"Raft log entries between snapshots."`
	TaskHistoryLimit          int64         `star:"task_history_limit" default:"5" flag:"--task-history-limit" doc:"How many old tasks are kept of each."`
	RotateWorkerToken         *string       `star:"rotate_worker_token" doc:"Any text, such as a date. Changing it makes a new token for workers to join with, as docker swarm join-token --rotate does. Left as it is where not given."`
	RotateManagerToken        *string       `star:"rotate_manager_token" doc:"The same for the managers' token."`
}

// SchemaName implements [schema.Named].
func (*SwarmSpec) SchemaName() (string, string) {
	return "swarm", "A swarm, made on its first manager."
}

// ExternalCA is one signer of certificates.
type ExternalCA struct {
	URL      string            `star:"url,required,short,pos" doc:"Where it is."`
	Protocol string            `star:"protocol" default:"cfssl" enum:"cfssl" doc:"What it speaks."`
	CACert   *string           `star:"ca_cert" doc:"The root certificate that it signs for, in PEM format; the swarm's own if left out."`
	Options  map[string]string `star:"options" doc:"Further options."`
}

// SchemaName implements [schema.Named].
func (*ExternalCA) SchemaName() (string, string) {
	return "external_ca", "A signer of the nodes' certificates."
}

var swarmSchema = schema.Of(SwarmSpec{})

// SwarmKind is a swarm, as a resource of the engine that it begins on.
var SwarmKind = &resource.Kind{
	Name:     "swarm",
	Schema:   swarmSchema,
	Scope:    "engine",
	Opens:    "swarm",
	Rank:     30,
	Single:   true,
	DataLoss: "every service, secret, config and network of the swarm",
	Out: []resource.Output{
		{Name: "id", Type: "string", Stable: true, Doc: "The swarm's ID."},
		{Name: "node_id", Type: "string", Stable: true, Doc: "The first manager's ID."},
		{Name: "manager_addr", Type: "string", Stable: true, Doc: "The first manager's address and port, for joining."},
		{Name: "worker_token", Type: "string", Sensitive: true, Doc: "The token that workers join with."},
		{Name: "manager_token", Type: "string", Sensitive: true, Doc: "The token that managers join with."},
		{Name: "unlock_key", Type: "string", Sensitive: true, Doc: "What unlocks a manager; empty without autolock."},
	},
	Check:   checkSwarm,
	Same:    begunElsewhere,
	Effect:  swarmEffect,
	Handler: swarmHandler{},
}

// begunElsewhere is [resource.Kind.Same]: the addresses are those of the node that
// the swarm began on. A script that names another of its members says what the
// swarm would begin on, were it not there; it stays as it is.
func begunElsewhere(live *resource.Object, args value.Struct, change schema.Change) bool {
	if !slices.Contains([]string{"advertise_addr", "listen_addr", "data_path_addr"}, change.Field.Name) {
		return false
	}
	s, ok := live.Native.(*Snapshot)
	get, _ := fieldsOf(swarmSchema, args)
	addr, given := value.Reveal(get("advertise_addr")).(string)
	if !ok || !given {
		return false
	}
	host := withoutPort(addr)
	return host != withoutPort(orZero(s.spec().AdvertiseAddr)) && slices.ContainsFunc(s.Hand.lists.Nodes, func(n swarm.Node) bool { return nodeAddr(n) == host })
}

// withoutPort is the address in an address that may have a port.
func withoutPort(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return strings.Trim(addr, "[]")
}

// swarmEffect says what new tokens mean.
func swarmEffect(_ *resource.Object, _ value.Struct, changes []schema.Change, _ bool) string {
	var who []string
	for _, c := range changes {
		switch c.Field.Name {
		case "rotate_worker_token":
			who = append(who, "workers")
		case "rotate_manager_token":
			who = append(who, "managers")
		}
	}
	if len(who) == 0 {
		return ""
	}
	return "a new token for " + strings.Join(who, " and ") + "; who has joined stays"
}

const defaultListenAddr = "0.0.0.0:2377"

func checkSwarm(args value.Struct) schema.Problems {
	get, _ := fieldsOf(swarmSchema, args)
	ps := checkAddresses(get)
	if get("default_addr_pool_mask_length") != nil && get("default_addr_pool") == nil {
		ps = append(ps, &schema.Problem{Path: "default_addr_pool_mask_length", Msg: "needs default_addr_pool"})
	}
	if l, ok := get("default_addr_pool").(value.List); ok && len(l) == 0 {
		ps = append(ps, &schema.Problem{Path: "default_addr_pool", Msg: "is empty", Hint: "leave it out for docker's own"})
	}
	return swarmSchema.HideSecrets(args, ps)
}

// checkAddresses finds what is wrong with the addresses that a node of a swarm is
// given.
func checkAddresses(get func(string) value.Value) schema.Problems {
	var ps schema.Problems
	for _, name := range []string{"advertise_addr", "listen_addr", "data_path_addr"} {
		s, ok := get(name).(string)
		if !ok {
			continue
		}
		host, port, err := net.SplitHostPort(s)
		switch {
		case s == "":
			ps = append(ps, &schema.Problem{Path: name, Msg: "is empty"})
		case isName(s), err == nil && isName(host):
			ps = append(ps, &schema.Problem{Path: name, Msg: fmt.Sprintf("got %q, want an IP address or the name of a network interface", s), Hint: "a swarm looks no names up"})
		case err == nil && name == "data_path_addr":
			ps = append(ps, &schema.Problem{Path: name, Msg: "takes no port", Hint: "data_path_port is its own argument"})
		case err == nil && host == "":
			ps = append(ps, &schema.Problem{Path: name, Msg: fmt.Sprintf("got %q, which names no address", s)})
		case err == nil:
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				ps = append(ps, &schema.Problem{Path: name, Msg: fmt.Sprintf("got port %q, want 1 to 65535", port)})
			}
		}
	}
	return ps
}

// isName reports whether a text is neither an address nor, as those have 15
// letters at most, an interface.
func isName(s string) bool {
	_, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return err != nil && len(s) > 15 && !strings.Contains(s, ":")
}

type swarmHandler struct{}

// EngineConn is the connection to an engine, as far as a swarm needs it.
type EngineConn interface {
	remote.Client
	// Remote returns the connection that the swarm's shares.
	Remote() *remote.Docker
	// Handover returns what the last observation listed, once.
	Handover() *Handover
}

// Open implements [resource.Opener].
func (swarmHandler) Open(_ context.Context, parent resource.Conn, o *resource.Object) (resource.Conn, error) {
	p := parent.(EngineConn)
	c := NewConn(p.Remote(), p.Handover)
	c.prober, _ = parent.(Prober)
	if n, ok := o.Native.(*Snapshot); ok {
		if n.Swarm == nil {
			return nil, errNotManager
		}
		c.own = n.Info.Swarm.NodeID
	}
	return c, nil
}

// Create implements [resource.Handler].
func (swarmHandler) Create(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec SwarmSpec
	if err := swarmSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	req := swarm.InitRequest{
		ListenAddr:       defaultListenAddr,
		AdvertiseAddr:    orZero(spec.AdvertiseAddr),
		DataPathAddr:     orZero(spec.DataPathAddr),
		DataPathPort:     orZero(spec.DataPathPort),
		SubnetSize:       24,
		AutoLockManagers: spec.Autolock,
		Availability:     swarm.NodeAvailability(orZero(spec.Availability)),
	}
	if spec.ListenAddr != nil {
		req.ListenAddr = *spec.ListenAddr
	}
	for _, p := range orZero(spec.DefaultAddrPool) {
		req.DefaultAddrPool = append(req.DefaultAddrPool, string(p))
	}
	if spec.DefaultAddrPoolMaskLength != nil {
		req.SubnetSize = *spec.DefaultAddrPoolMaskLength
	}
	spec.into(&req.Spec, "")
	req.Spec.Labels = spec.note(r.Mark, nil)
	if _, err := dockerOf(c).SwarmInit(ctx, req); err != nil {
		return nil, addressHint(remote.Err(err))
	}
	return readObject(ctx, c)
}

func readObject(ctx context.Context, c resource.Conn) (*resource.Object, error) {
	s, err := Read(ctx, c.(EngineConn).Remote())
	if err != nil {
		return nil, err
	}
	o := s.Object()
	if o == nil {
		return nil, errors.New("the engine has left the swarm")
	}
	return o, nil
}

// into writes what init and update have in common. A signer without a
// certificate of its own signs for root.
func (s *SwarmSpec) into(to *swarm.Spec, root string) {
	to.Orchestration.TaskHistoryRetentionLimit = &s.TaskHistoryLimit
	to.Dispatcher.HeartbeatPeriod = s.DispatcherHeartbeat
	to.Raft.KeepOldSnapshots = &s.MaxSnapshots
	to.Raft.SnapshotInterval = s.SnapshotInterval
	to.EncryptionConfig.AutoLockManagers = s.Autolock
	to.CAConfig.NodeCertExpiry = s.CertExpiry
	to.CAConfig.ExternalCAs = nil
	for _, ca := range s.ExternalCA {
		e := &swarm.ExternalCA{Protocol: swarm.ExternalCAProtocol(ca.Protocol), URL: ca.URL, Options: ca.Options, CACert: root}
		if ca.CACert != nil {
			e.CACert = *ca.CACert
		}
		to.CAConfig.ExternalCAs = append(to.CAConfig.ExternalCAs, e)
	}
}

// Update implements [resource.Handler].
func (swarmHandler) Update(ctx context.Context, c resource.Conn, r *resource.Request) (*resource.Object, error) {
	var spec SwarmSpec
	if err := swarmSchema.Decode(r.Args, &spec); err != nil {
		return nil, err
	}
	live := r.Live.Native.(*Snapshot)
	if live.Swarm == nil {
		return nil, errNotManager
	}
	api := dockerOf(c)
	to := live.Swarm.Spec
	spec.into(&to, live.Swarm.TLSInfo.TrustRoot)
	to.Labels = spec.note(r.Mark, live.Swarm.Spec.Labels)
	for k, v := range live.Swarm.Spec.Labels {
		if _, ours := to.Labels[k]; !ours && !resource.IsMark(k) {
			to.Labels[k] = v
		}
	}
	if err := updateSwarm(ctx, api, *live.Swarm, to, spec.rotations(live.spec())); err != nil {
		return nil, err
	}
	if node := live.Node(); spec.Availability != nil && node != nil && string(node.Spec.Availability) != *spec.Availability {
		n := node.Spec
		n.Availability = swarm.NodeAvailability(*spec.Availability)
		if err := updateNode(ctx, api, *node, n); err != nil {
			return nil, err
		}
	}
	return readObject(ctx, c)
}

// rotations are the tokens that are to be made anew: those whose text is another
// than it was. It is noted in the same write.
func (s *SwarmSpec) rotations(live *SwarmSpec) swarm.UpdateFlags {
	changed := func(want, live *string) bool { return want != nil && (live == nil || *live != *want) }
	return swarm.UpdateFlags{
		RotateWorkerToken:  changed(s.RotateWorkerToken, live.RotateWorkerToken),
		RotateManagerToken: changed(s.RotateManagerToken, live.RotateManagerToken),
	}
}

// The managers write to the swarm and to its nodes themselves (keys, the state
// of a node), which moves the version index. Nobody has written in between as
// long as the spec is still the one that was observed.
const specTries = 20

func updateSwarm(ctx context.Context, api client.APIClient, live swarm.Swarm, to swarm.Spec, flags swarm.UpdateFlags) error {
	seen := live.Spec
	for try := 0; ; try++ {
		err := remote.Err(api.SwarmUpdate(ctx, live.Version, to, flags))
		if !errors.Is(err, resource.ErrConflict) || try == specTries {
			return err
		}
		var ierr error
		if live, ierr = api.SwarmInspect(ctx); ierr != nil {
			return remote.Err(ierr)
		}
		if !reflect.DeepEqual(live.Spec, seen) {
			return err
		}
	}
}

// errNotYetManager says that a node which has just been promoted is not found
// among the managers: it cannot be demoted before it is.
var errNotYetManager = fmt.Errorf("%w: it is not among the managers yet", resource.ErrTransient)

// roleErr finds that error in what an engine says.
func roleErr(err error) error {
	if err != nil && strings.Contains(err.Error(), "raft memberlist") {
		return errNotYetManager
	}
	return err
}

func updateNode(ctx context.Context, api client.APIClient, live swarm.Node, to swarm.NodeSpec) error {
	seen := live.Spec
	for try := 0; ; try++ {
		err := updateErr(roleErr(api.NodeUpdate(ctx, live.ID, live.Version, to)))
		if !errors.Is(err, resource.ErrConflict) || try == specTries {
			return err
		}
		var ierr error
		if live, _, ierr = api.NodeInspectWithRaw(ctx, live.ID); ierr != nil {
			return updateErr(ierr)
		}
		if !reflect.DeepEqual(live.Spec, seen) {
			return err
		}
	}
}

// Delete implements [resource.Handler]: the engine leaves, by force, since a
// manager never leaves otherwise.
func (swarmHandler) Delete(ctx context.Context, c resource.Conn, r *resource.Request) error {
	err := remote.Err(dockerOf(c).SwarmLeave(ctx, true))
	if err != nil {
		// Left already, which the engine calls unavailable.
		s, rerr := Read(ctx, c.(EngineConn).Remote())
		if rerr != nil || s.Info.Swarm.LocalNodeState != swarm.LocalNodeStateInactive {
			return err
		}
	}
	return leftNetworks(ctx, dockerOf(c))
}

// leftNetworks waits until the engine has forgotten the networks of a swarm
// that it has left: 20.10 lists them for a second or two, and a new swarm would
// seem to have them. What stays longer has its own reasons.
func leftNetworks(ctx context.Context, api client.APIClient) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		l, err := api.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("scope", "swarm"))})
		if err != nil || len(l) == 0 {
			return remote.Err(err)
		}
		if err := Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
