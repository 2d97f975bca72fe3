package cluster

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	gogo "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/api"
	"github.com/moby/swarmkit/v2/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var eventActions = map[api.WatchActionKind]events.Action{
	api.WatchActionKindCreate: events.ActionCreate,
	api.WatchActionKindUpdate: events.ActionUpdate,
	api.WatchActionKindRemove: events.ActionRemove,
}

// watchEvents tells the engine what changes in the swarm, while this node is a manager.
func (c *Cluster) watchEvents(ctx context.Context, conn *grpc.ClientConn) {
	const every = api.WatchActionKindCreate | api.WatchActionKindUpdate | api.WatchActionKindRemove
	request := &api.WatchRequest{IncludeOldObject: true}
	for _, kind := range []string{"node", "service", "network", "secret", "config"} {
		request.Entries = append(request.Entries, &api.WatchRequest_WatchEntry{Kind: kind, Action: every})
	}
	watch, err := api.NewWatchClient(conn).Watch(ctx, request)
	for err == nil {
		var message *api.WatchMessage
		if message, err = watch.Recv(); err != nil {
			break
		}
		for _, e := range message.Events {
			if m, ok := event(e); ok {
				c.cfg.Engine.Event(m)
			}
		}
	}
	if ctx.Err() == nil && status.Code(err) != codes.Canceled {
		log.G(ctx).WithError(err).Error("the swarm's events are not followed any more")
	}
}

// event brings a change into the form of Docker's events.
func event(e *api.WatchMessage_Event) (events.Message, bool) {
	if e.Object == nil {
		return events.Message{}, false
	}
	old := e.OldObject
	if e.Action != api.WatchActionKindUpdate {
		old = nil
	}
	var (
		kind       events.Type
		id         string
		meta       api.Meta
		attributes map[string]string
	)
	switch o := e.Object.GetObject().(type) {
	case *api.Object_Node:
		kind, id, meta, attributes = events.NodeEventType, o.Node.ID, o.Node.Meta, nodeAttributes(o.Node, old.GetNode())
	case *api.Object_Service:
		kind, id, meta, attributes = events.ServiceEventType, o.Service.ID, o.Service.Meta, serviceAttributes(o.Service, old.GetService())
	case *api.Object_Network:
		kind, id, meta, attributes = events.NetworkEventType, o.Network.ID, o.Network.Meta, named(o.Network.Spec.Annotations)
	case *api.Object_Secret:
		kind, id, meta, attributes = events.SecretEventType, o.Secret.ID, o.Secret.Meta, named(o.Secret.Spec.Annotations)
	case *api.Object_Config:
		kind, id, meta, attributes = events.ConfigEventType, o.Config.ID, o.Config.Meta, named(o.Config.Spec.Annotations)
	default:
		return events.Message{}, false
	}
	at := eventTime(meta, e.Action).UTC()
	return events.Message{
		Type: kind, Action: eventActions[e.Action], Actor: events.Actor{ID: id, Attributes: attributes},
		Scope: "swarm", Time: at.Unix(), TimeNano: at.UnixNano(),
	}, true
}

func named(a api.Annotations) map[string]string { return map[string]string{"name": a.Name} }

func eventTime(meta api.Meta, action api.WatchActionKind) time.Time {
	stamp := meta.UpdatedAt
	switch action {
	case api.WatchActionKindCreate:
		stamp = meta.CreatedAt
	case api.WatchActionKindRemove: // SwarmKit keeps no time of it
		return time.Now()
	}
	at, err := gogo.TimestampFromProto(stamp)
	if err != nil {
		return time.Now()
	}
	return at
}

// change notes the old and the new value of an attribute.
func change(attributes map[string]string, name, was, is string) {
	if was != is {
		attributes[name+".old"], attributes[name+".new"] = strings.ToLower(was), strings.ToLower(is)
	}
}

func nodeAttributes(n, old *api.Node) map[string]string {
	attributes := named(n.Spec.Annotations)
	if attributes["name"] == "" && n.Description != nil {
		attributes["name"] = n.Description.Hostname
	}
	if old == nil {
		return attributes
	}
	change(attributes, "availability", old.Spec.Availability.String(), n.Spec.Availability.String())
	change(attributes, "role", old.Role.String(), n.Role.String())
	change(attributes, "state", old.Status.State.String(), n.Status.State.String())
	if n.ManagerStatus != nil && old.ManagerStatus != nil {
		change(attributes, "leader", strconv.FormatBool(old.ManagerStatus.Leader), strconv.FormatBool(n.ManagerStatus.Leader))
		change(attributes, "reachability", old.ManagerStatus.Reachability.String(), n.ManagerStatus.Reachability.String())
	}
	return attributes
}

func serviceAttributes(s, old *api.Service) map[string]string {
	attributes := named(s.Spec.Annotations)
	if old == nil {
		return attributes
	}
	if is, was := s.Spec.Task.GetContainer(), old.Spec.Task.GetContainer(); is != nil && was != nil && is.Image != was.Image {
		attributes["image.old"], attributes["image.new"] = was.Image, is.Image
	}
	if is, was := s.Spec.GetReplicated(), old.Spec.GetReplicated(); is != nil && was != nil {
		change(attributes, "replicas", strconv.FormatUint(was.Replicas, 10), strconv.FormatUint(is.Replicas, 10))
	}
	switch {
	case s.UpdateStatus == nil:
	case old.UpdateStatus == nil:
		attributes["updatestate.new"] = strings.ToLower(s.UpdateStatus.State.String())
	default:
		change(attributes, "updatestate", old.UpdateStatus.State.String(), s.UpdateStatus.State.String())
	}
	return attributes
}
