package swarm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Snapshot is what an engine says about itself and its swarm.
type Snapshot struct {
	API       string
	Info      system.Info
	Swarm     *swarm.Swarm // nil where the engine is no manager
	UnlockKey string
	Hand      *Handover

	wantsKey bool // a request more, where there is autolock
}

// Read asks an engine for what its scope holds: three requests outside a swarm,
// five on a manager, six with autolock, beside the first connection's ping.
func Read(ctx context.Context, d *remote.Docker) (*Snapshot, error) {
	return read(ctx, d, true, listNetworks, listVolumes, listNodes)
}

// ReadAll also lists, on a manager, what the observation of its swarm asks for
// next: one round of requests in place of two. The last snapshot of this
// connection may be nil. The unlock key is read only where the query wants it.
func ReadAll(ctx context.Context, d *remote.Docker, last *Snapshot, q resource.Query) (*Snapshot, error) {
	wantsKey := q.Outputs["unlock_key"]
	calls := []call{listNetworks, listVolumes, listNodes, listServices, listSecrets, listConfigs}
	if s := readAgain(ctx, d, last, wantsKey, calls); s != nil {
		return s, nil
	}
	s, err := read(ctx, d, wantsKey, calls...)
	if err == nil {
		s.Hand.whole = s.Swarm != nil
	}
	return s, err
}

// readAgain reads what is in the swarm of an engine that was seen to manage it
// a moment ago, without asking for the engine's information again: that takes
// longer than all lists, since it runs programs. It returns nil where it is
// not the same manager of the same swarm any more.
func readAgain(ctx context.Context, d *remote.Docker, last *Snapshot, wantsKey bool, calls []call) *Snapshot {
	if last == nil || last.Swarm == nil || time.Since(last.Hand.at) > infoAge {
		return nil
	}
	s := newSnapshot(d, wantsKey)
	s.API, s.Info = last.API, last.Info
	if s.readSwarm(ctx, d, calls) != nil || s.Swarm.ID != last.Swarm.ID || s.Node() == nil {
		return nil
	}
	s.Hand.whole = true
	return s
}

// infoAge bounds how old an engine's information may be that is used again.
const infoAge = 10 * time.Second

func newSnapshot(d *remote.Docker, wantsKey bool) *Snapshot {
	return &Snapshot{wantsKey: wantsKey, Hand: &Handover{at: time.Now(), writes: d.Requests().Writes}}
}

func read(ctx context.Context, d *remote.Docker, wantsKey bool, calls ...call) (*Snapshot, error) {
	s := newSnapshot(d, wantsKey)
	var err error
	if s.API, err = d.Ready(ctx); err != nil {
		return nil, err
	}
	// An engine that says that it is a manager is asked for everything at once.
	guessed := d.SaidManager()
	var guessErr error
	var wg sync.WaitGroup
	if guessed {
		wg.Go(func() { guessErr = s.readSwarm(ctx, d, calls) })
	}
	s.Info, err = d.API().Info(ctx)
	wg.Wait()
	if err != nil {
		return nil, remote.Err(err)
	}
	if err := s.usable(d.Endpoint()); err != nil {
		return nil, err
	}
	switch {
	case !s.Info.Swarm.ControlAvailable:
		s.Swarm, s.UnlockKey = nil, ""
		return s, s.Hand.lists.fetch(ctx, d, listNetworks, listVolumes)
	case guessed && guessErr == nil:
		return s, nil
	}
	return s, roleChanging(s.readSwarm(ctx, d, calls))
}

// roleChanging marks what an engine answers that has just said that it is a
// manager: its role changes this moment, and it is to be asked again.
func roleChanging(err error) error {
	if err != nil && strings.Contains(err.Error(), "not a swarm manager") {
		return fmt.Errorf("%w: its role in the swarm is changing: %w", resource.ErrTransient, err)
	}
	return err
}

// readSwarm reads the swarm that the engine manages, and the lists of those
// calls.
func (s *Snapshot) readSwarm(ctx context.Context, d *remote.Docker, calls []call) error {
	var wg sync.WaitGroup
	var inspectErr error
	wg.Go(func() {
		sw, err := d.API().SwarmInspect(ctx)
		s.Swarm, inspectErr = &sw, remote.Err(err)
		if err == nil && s.wantsKey && sw.Spec.EncryptionConfig.AutoLockManagers {
			key, err := d.API().SwarmGetUnlockKey(ctx)
			s.UnlockKey, inspectErr = key.UnlockKey, remote.Err(err)
		}
	})
	err := s.Hand.lists.fetch(ctx, d, calls...)
	wg.Wait()
	return cmp.Or(err, inspectErr)
}

// usable refuses states of a swarm that say nothing about what is in it.
func (s *Snapshot) usable(endpoint string) error {
	what, do := swarmTrouble(s.Info.Swarm)
	if what == "" {
		return nil
	}
	return fmt.Errorf("%w: the swarm of the engine at %s %s (%s)", resource.ErrUnreachable, endpoint, what, do)
}

// swarmTrouble says what is wrong with an engine's part in its swarm, "" where
// nothing is, and what to do.
func swarmTrouble(s swarm.Info) (what, do string) {
	switch s.LocalNodeState {
	case swarm.LocalNodeStateLocked:
		what, do = "is locked", "docker swarm unlock"
	case swarm.LocalNodeStatePending:
		what, do = "is not ready yet", "wait for the join to end, or docker swarm leave --force"
	case swarm.LocalNodeStateError:
		what, do = "has failed", "docker info shows more"
	default:
		return "", ""
	}
	if s.Error != "" {
		what += ": " + s.Error
	}
	return what, do
}

// Clock returns the engine's own time.
func (s *Snapshot) Clock() (time.Time, error) { return parseClock(s.Info) }

func parseClock(info system.Info) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return t, fmt.Errorf("the engine's clock: %w", err)
	}
	return t, nil
}

// Node returns the engine's own node, nil where it is no manager.
func (s *Snapshot) Node() *swarm.Node { return s.Hand.Node(s.Info.Swarm.NodeID) }

// Object returns the swarm as an object of the engine, nil where the engine is
// in none. Of a swarm that is managed elsewhere nothing is known but that it
// is there.
func (s *Snapshot) Object() *resource.Object {
	if s.Info.Swarm.LocalNodeState != swarm.LocalNodeStateActive {
		return nil
	}
	if s.Swarm == nil {
		return &resource.Object{
			Kind: "swarm", ID: "node " + s.Info.Swarm.NodeID, Name: "the swarm that this engine is a worker of",
			Args: make(value.Struct, len(swarmSchema.Fields())), Native: s,
		}
	}
	sw := s.Swarm
	mark, _ := resource.ReadMark(sw.Spec.Labels)
	name := mark.Address.Name()
	if name == "" {
		name = sw.ID
	}
	return &resource.Object{
		Kind: "swarm", ID: sw.ID, Name: name, Mark: mark,
		Args: swarmSchema.Encode(s.spec()),
		Out: map[string]value.Value{
			"id":            sw.ID,
			"node_id":       s.Info.Swarm.NodeID,
			"manager_addr":  s.managerAddr(),
			"worker_token":  value.Secret{V: sw.JoinTokens.Worker},
			"manager_token": value.Secret{V: sw.JoinTokens.Manager},
			"unlock_key":    value.Secret{V: s.UnlockKey},
		},
		Version: sw.Version.Index, Created: sw.CreatedAt, Native: s,
	}
}

func (s *Snapshot) managerAddr() string {
	for _, p := range s.Info.Swarm.RemoteManagers {
		if p.NodeID == s.Info.Swarm.NodeID {
			return p.Addr
		}
	}
	return net.JoinHostPort(s.Info.Swarm.NodeAddr, "2377")
}

func (s *Snapshot) spec() *SwarmSpec {
	sw := s.Swarm
	out := &SwarmSpec{
		Autolock:            sw.Spec.EncryptionConfig.AutoLockManagers,
		CertExpiry:          sw.Spec.CAConfig.NodeCertExpiry,
		DispatcherHeartbeat: sw.Spec.Dispatcher.HeartbeatPeriod,
		MaxSnapshots:        orZero(sw.Spec.Raft.KeepOldSnapshots),
		SnapshotInterval:    sw.Spec.Raft.SnapshotInterval,
		TaskHistoryLimit:    orZero(sw.Spec.Orchestration.TaskHistoryRetentionLimit),
		DataPathPort:        ptr(uint32(4789)),
	}
	if sw.DataPathPort != 0 {
		*out.DataPathPort = sw.DataPathPort
	}
	// Docker's own pool is shown as none.
	pool, mask := []CIDR{"10.0.0.0/8"}, uint32(24)
	if len(sw.DefaultAddrPool) > 0 {
		pool = make([]CIDR, len(sw.DefaultAddrPool))
		for i, p := range sw.DefaultAddrPool {
			pool[i] = CIDR(p)
		}
	}
	if sw.SubnetSize != 0 {
		mask = sw.SubnetSize
	}
	out.DefaultAddrPool, out.DefaultAddrPoolMaskLength = &pool, &mask
	for _, ca := range sw.Spec.CAConfig.ExternalCAs {
		out.ExternalCA = append(out.ExternalCA, ExternalCA{
			URL: ca.URL, Protocol: string(ca.Protocol), CACert: ptr(ca.CACert), Options: ca.Options,
		})
	}
	if n := s.Node(); n != nil {
		out.Availability = ptr(string(n.Spec.Availability))
	}
	var note initNote
	if err := json.Unmarshal([]byte(sw.Spec.Labels[labelInit]), &note); err == nil {
		out.AdvertiseAddr, out.ListenAddr, out.DataPathAddr = note.Advertise, note.Listen, note.DataPath
		out.RotateWorkerToken, out.RotateManagerToken = note.Worker, note.Manager
	}
	// Of a swarm that somebody else made, the address is what it is.
	if out.AdvertiseAddr == nil {
		out.AdvertiseAddr = ptr(strings.TrimSuffix(s.managerAddr(), ":2377"))
	}
	if out.ListenAddr == nil {
		out.ListenAddr = ptr(defaultListenAddr)
	}
	return out
}

// labelInit holds what was given to swarm.init and cannot be read back.
const labelInit = "swarmscript.init"

type initNote struct {
	Advertise *string `json:"advertise_addr,omitempty"`
	Listen    *string `json:"listen_addr,omitempty"`
	DataPath  *string `json:"data_path_addr,omitempty"`
	Worker    *string `json:"rotate_worker_token,omitempty"`
	Manager   *string `json:"rotate_manager_token,omitempty"`
}

// note returns the swarm's labels: the mark, and what cannot be read back. What
// is not given is as it was noted before.
func (s *SwarmSpec) note(mark resource.Mark, before map[string]string) map[string]string {
	labels := mark.Labels(nil)
	var n initNote
	_ = json.Unmarshal([]byte(before[labelInit]), &n) // a note that cannot be read is written anew
	n.Advertise = cmp.Or(s.AdvertiseAddr, n.Advertise)
	n.Listen = cmp.Or(s.ListenAddr, n.Listen)
	n.DataPath = cmp.Or(s.DataPathAddr, n.DataPath)
	n.Worker = cmp.Or(s.RotateWorkerToken, n.Worker)
	n.Manager = cmp.Or(s.RotateManagerToken, n.Manager)
	if n != (initNote{}) {
		text, _ := json.Marshal(n) // strings only
		labels[labelInit] = string(text)
	}
	return labels
}

// addressHint adds what to do where an engine cannot choose an address.
func addressHint(err error) error {
	if err == nil {
		return nil
	}
	for _, s := range []string{"could not choose an IP address to advertise", "could not find the system's IP address"} {
		if strings.Contains(err.Error(), s) {
			return fmt.Errorf("%w (give advertise_addr)", err)
		}
	}
	return err
}

var errNotManager = errors.New("the engine is not a manager of its swarm")
