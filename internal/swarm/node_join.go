package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// An engine joins a swarm with a token of the role that it shall have and the
// addresses of its managers, and is then the node of an ID of its own. All that
// can be cut short: an engine that has joined is found by that ID the next time,
// and only gets its mark.

// joinTime is how long an engine may take to join; it takes a second or two. One
// that reaches no manager gives up by itself after about as long.
const joinTime = time.Minute

// joining is an engine on its way into a swarm.
type joining struct {
	c    *Conn // of the swarm
	on   EngineConn
	r    *resource.Request
	spec NodeSpec
	role swarm.NodeRole
	// asked is set once the engine was told to join: what comes of it is ours.
	asked bool
}

// Create implements [resource.Handler]: the engine of r.On joins the swarm, and
// its node becomes what is declared. An engine that is in the swarm already is
// only that.
func (h nodeHandler) Create(ctx context.Context, rc resource.Conn, r *resource.Request) (*resource.Object, error) {
	c, err := serviceConn(rc)
	if err != nil {
		return nil, err
	}
	on, ok := r.On.(EngineConn)
	if !ok {
		return nil, fmt.Errorf("%w: the engine of %s does not answer", resource.ErrUnreachable, r.Address)
	}
	j, err := newJoining(c, on, r)
	if err != nil {
		return nil, err
	}
	id, err := j.join(ctx)
	if err != nil {
		return nil, err
	}
	return j.declare(ctx, id)
}

func newJoining(c *Conn, on EngineConn, r *resource.Request) (*joining, error) {
	j := &joining{c: c, on: on, r: r, role: swarm.NodeRoleWorker}
	if err := nodeSchema.Decode(r.Args, &j.spec); err != nil {
		return nil, err
	}
	if j.spec.Role != nil {
		j.role = swarm.NodeRole(*j.spec.Role)
	}
	return j, nil
}

// join ends when the engine is a node of the swarm, and returns its ID. Managers
// join alone, and are reachable when the next one comes.
func (j *joining) join(ctx context.Context) (string, error) {
	if j.role == swarm.NodeRoleManager {
		free, err := j.c.holdRoles(ctx)
		if err != nil {
			return "", err
		}
		defer free()
	}
	info, err := j.info(ctx)
	if err != nil {
		return "", err
	}
	switch info.Swarm.LocalNodeState {
	case swarm.LocalNodeStateInactive, "":
		info, err = j.enter(ctx)
	case swarm.LocalNodeStatePending: // an earlier join goes on
		info, err = j.wait(ctx, time.Now())
	case swarm.LocalNodeStateActive:
	default:
		what, do := swarmTrouble(info.Swarm)
		return "", &diag.Diagnostic{Summary: fmt.Sprintf("%s cannot join: the swarm of its engine %s", j.r.Address.Short(), what), Hint: do}
	}
	if err != nil {
		if ctx.Err() != nil { // wherever it was cut short
			j.giveUp(ctx)
		}
		return "", err
	}
	if err := j.known(ctx, info.Swarm); err != nil {
		return "", err
	}
	if j.role != swarm.NodeRoleManager {
		return info.Swarm.NodeID, nil
	}
	wait, cancel := context.WithTimeout(ctx, roleTime)
	defer cancel()
	return info.Swarm.NodeID, hasRole(wait, j.c, j.r, info.Swarm.NodeID)
}

// holdRoles keeps others from changing the managers until free is called.
func (c *Conn) holdRoles(ctx context.Context) (free func(), err error) {
	select {
	case c.roles <- struct{}{}:
		return func() { <-c.roles }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (j *joining) info(ctx context.Context) (system.Info, error) {
	return infoOf(ctx, j.on)
}

func infoOf(ctx context.Context, on EngineConn) (system.Info, error) {
	if _, err := on.Remote().Ready(ctx); err != nil {
		return system.Info{}, err
	}
	info, err := on.Docker().Info(ctx)
	return info, remote.Err(err)
}

// enter lets the engine join, and waits until it has. A swarm that has no leader
// for the moment is asked again.
func (j *joining) enter(ctx context.Context) (system.Info, error) {
	began := time.Now()
	for rejected := 0; ; {
		token, err := j.ask(ctx)
		switch {
		case err == nil:
			return j.wait(ctx, began)
		case strings.Contains(err.Error(), "continue in the background"), errors.Is(err, resource.ErrExists): // or an answer was lost
			return j.wait(ctx, began)
		case strings.Contains(err.Error(), "valid join token is necessary") && rejected == 0:
			rejected++ // it was rotated in between
			if now, terr := j.token(ctx); terr != nil || now == token {
				return system.Info{}, err
			}
			continue
		case !errors.Is(err, resource.ErrTransient), ctx.Err() != nil:
			return system.Info{}, err
		case time.Since(began) > joinTime || len(j.closed(ctx)) > 0:
			return system.Info{}, j.failed(ctx, began, err.Error())
		}
		j.r.Progress(resource.Progress{Text: err.Error()})
		if err := Pause(ctx, time.Second); err != nil {
			return system.Info{}, err
		}
	}
}

// ask sends the engine to the managers. It returns the token that it used, which
// goes nowhere else.
func (j *joining) ask(ctx context.Context) (token string, err error) {
	managers, err := j.managers(ctx)
	if err != nil {
		return "", err
	}
	if token, err = j.token(ctx); err != nil {
		return "", err
	}
	req := swarm.JoinRequest{
		ListenAddr:    defaultListenAddr,
		AdvertiseAddr: orZero(j.spec.AdvertiseAddr),
		DataPathAddr:  orZero(j.spec.DataPathAddr),
		JoinToken:     token,
		Availability:  swarm.NodeAvailability(orZero(j.spec.Availability)),
	}
	if j.spec.ListenAddr != nil {
		req.ListenAddr = *j.spec.ListenAddr
	}
	for _, m := range managers {
		req.RemoteAddrs = append(req.RemoteAddrs, m.ManagerStatus.Addr)
	}
	j.r.Progress(resource.Progress{Text: "joining"})
	j.asked = true
	return token, remote.Err(j.on.Docker().SwarmJoin(ctx, req))
}

func (j *joining) token(ctx context.Context) (string, error) {
	sw, err := j.c.Docker().SwarmInspect(ctx)
	if err != nil {
		return "", remote.Err(err)
	}
	if j.role == swarm.NodeRoleManager {
		return sw.JoinTokens.Manager, nil
	}
	return sw.JoinTokens.Worker, nil
}

// managers returns the managers that can be reached, the leader first. Those that
// are going to leave count only where there are no others: what joins in place of
// one need not reach it, and its firewall may not know of that any more.
func (j *joining) managers(ctx context.Context) ([]swarm.Node, error) {
	nodes, err := j.c.Docker().NodeList(ctx, swarm.NodeListOptions{})
	if err != nil {
		return nil, remote.Err(err)
	}
	nodes = slices.DeleteFunc(nodes, func(n swarm.Node) bool { return !reachable(n) })
	goes := func(n swarm.Node) bool { return slices.Contains(j.r.Going, n.ID) }
	if slices.ContainsFunc(nodes, func(n swarm.Node) bool { return !goes(n) }) {
		nodes = slices.DeleteFunc(nodes, goes)
	}
	slices.SortStableFunc(nodes, func(a, b swarm.Node) int {
		switch {
		case a.ManagerStatus.Leader:
			return -1
		case b.ManagerStatus.Leader:
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return nodes, nil
}

// wait ends when the engine is in a swarm. What does not come about is taken
// back, so that the next run finds the engine as it was.
func (j *joining) wait(ctx context.Context, began time.Time) (system.Info, error) {
	for {
		info, err := j.info(ctx)
		switch state := info.Swarm.LocalNodeState; {
		case err != nil && (ctx.Err() != nil || !errors.Is(err, resource.ErrTransient)):
			return info, err
		case state == swarm.LocalNodeStateActive && info.Swarm.NodeID != "":
			return info, nil
		case state == swarm.LocalNodeStateError, state == swarm.LocalNodeStateInactive, time.Since(began) > joinTime:
			why := j.failed(ctx, began, info.Swarm.Error)
			j.giveUp(ctx)
			return info, why
		}
		j.r.Progress(resource.Progress{Text: "joining; the engine goes on trying"})
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			return info, err
		}
	}
}

// giveUp takes back a join of ours that has not come about.
func (j *joining) giveUp(ctx context.Context) {
	if !j.asked {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if info, err := j.info(ctx); err == nil && info.Swarm.LocalNodeState != swarm.LocalNodeStateActive {
		_ = j.on.Docker().SwarmLeave(ctx, true) // what is wrong has been told
	}
}

// failed says why an engine has not joined.
func (j *joining) failed(ctx context.Context, began time.Time, said string) error {
	lines := j.closed(ctx)
	if said != "" {
		lines = append([]string{"the engine says: " + said}, lines...)
	}
	lines = append(lines, j.ports(ctx)...)
	return &resource.NotConverged{Address: j.r.Address, Summary: "did not join in " + since(began), Detail: strings.Join(lines, "\n")}
}

// known ends when the managers know the node that the engine is. One that they
// do not know is in another swarm, or has been removed from theirs.
func (j *joining) known(ctx context.Context, s swarm.Info) error {
	_, _, err := j.c.Docker().NodeInspectWithRaw(ctx, s.NodeID)
	if !remote.IsNotFound(err) {
		return remote.Err(err)
	}
	p := &diag.Diagnostic{
		Summary: fmt.Sprintf("%s cannot join: its engine is in another swarm already", j.r.Address.Short()),
		Detail:  fmt.Sprintf("it is node %s there, and an engine can be in one swarm only", s.NodeID),
		Hint:    "take it out there first: docker swarm leave",
	}
	nodes, err := j.c.Docker().NodeList(ctx, swarm.NodeListOptions{})
	if err == nil && slices.ContainsFunc(s.RemoteManagers, func(p swarm.Peer) bool {
		return slices.ContainsFunc(nodes, func(n swarm.Node) bool { return n.ID == p.NodeID })
	}) {
		p.Summary = fmt.Sprintf("%s cannot join: its node was removed from the swarm, and the engine still takes itself for it", j.r.Address.Short())
		p.Detail = "it was node " + s.NodeID
		p.Hint = "let it forget that: docker swarm leave --force, on the engine"
	}
	return p
}

// declare gives a node that has joined its mark, and makes it what is declared.
func (j *joining) declare(ctx context.Context, id string) (*resource.Object, error) {
	for try := 0; ; try++ {
		n, _, err := j.c.Docker().NodeInspectWithRaw(ctx, id)
		if err != nil {
			return nil, remote.Err(err)
		}
		r := *j.r
		r.Live = nodeObject(n, n.ID == j.c.own)
		if theirs := r.Live.Mark.Project; theirs != "" && theirs != r.Mark.Project {
			return nil, fmt.Errorf("%s: node %s belongs to project %s", r.Address, nodeLabel(n), theirs)
		}
		o, err := nodeHandler{}.Update(ctx, j.c, &r)
		if !errors.Is(err, resource.ErrConflict) || try == specTries {
			return o, err
		}
	}
}

// hasJoined ends when a node that has joined is ready and reaches the managers.
func hasJoined(ctx context.Context, c *Conn, r *resource.Request, id string) error {
	began := time.Now()
	for {
		n, _, err := c.Docker().NodeInspectWithRaw(ctx, id)
		why := ""
		switch {
		case err == nil && n.Status.State == swarm.NodeStateReady:
			on, ok := r.On.(EngineConn)
			if !ok {
				return nil
			}
			j, err := newJoining(c, on, r)
			if err != nil {
				return err
			}
			return j.reaches(ctx, n)
		case err == nil:
			why = "it is " + string(n.Status.State)
		case remote.IsNotFound(err):
			return &resource.NotConverged{Address: r.Address, Summary: "was removed by somebody else"}
		default:
			why = "the managers do not answer"
		}
		r.Progress(resource.Progress{Text: why})
		if err := Pause(ctx, 300*time.Millisecond); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return &resource.NotConverged{Address: r.Address, Summary: "joined, but was not ready in " + since(began), Detail: why}
			}
			return err
		}
	}
}
