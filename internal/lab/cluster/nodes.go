package cluster

import (
	"context"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/daemon/cluster/convert"
	"github.com/docker/docker/errdefs"
	"github.com/moby/swarmkit/v2/api"
)

// GetNodes lists the swarm's nodes.
func (c *Cluster) GetNodes(options types.NodeListOptions) ([]types.Node, error) {
	return ask(c, func(ctx context.Context, s state) ([]types.Node, error) {
		f := options.Filters
		if err := f.Validate(map[string]bool{
			"name": true, "id": true, "label": true, "role": true, "membership": true, "node.label": true,
		}); err != nil {
			return nil, err
		}
		roles, err := enum[api.NodeRole]("role", f.Get("role"), api.NodeRole_value)
		if err != nil {
			return nil, err
		}
		memberships, err := enum[api.NodeSpec_Membership]("membership", f.Get("membership"), api.NodeSpec_Membership_value)
		if err != nil {
			return nil, err
		}
		list, err := s.control.ListNodes(ctx, &api.ListNodesRequest{Filters: &api.ListNodesRequest_Filters{
			NamePrefixes: f.Get("name"), IDPrefixes: f.Get("id"), Roles: roles, Memberships: memberships,
			Labels: labelFilter(f.Get("label")), NodeLabels: labelFilter(f.Get("node.label")),
		}}, anySize)
		if err != nil {
			return nil, err
		}
		return all(list.Nodes, nodeFromGRPC), nil
	})
}

// nodeFromGRPC is Docker's conversion, with the host's own address in place of its relay's.
func nodeFromGRPC(n api.Node) types.Node {
	node := convert.NodeFromGRPC(n)
	if address := node.Description.Engine.Labels[addressLabel]; address != "" {
		node.Status.Addr = address
		delete(node.Description.Engine.Labels, addressLabel)
		if len(node.Description.Engine.Labels) == 0 {
			node.Description.Engine.Labels = nil
		}
	}
	return node
}

func (s state) findNode(ctx context.Context, input string) (*api.Node, error) {
	return find("node", input,
		func(id string) (*api.Node, error) {
			r, err := s.control.GetNode(ctx, &api.GetNodeRequest{NodeID: id})
			if err != nil {
				return nil, err
			}
			return r.Node, nil
		},
		func(names, prefixes []string) ([]*api.Node, error) {
			r, err := s.control.ListNodes(ctx, &api.ListNodesRequest{Filters: &api.ListNodesRequest_Filters{Names: names, IDPrefixes: prefixes}}, anySize)
			if err != nil {
				return nil, err
			}
			return r.Nodes, nil
		})
}

// GetNode returns a node by name or ID.
func (c *Cluster) GetNode(input string) (types.Node, error) {
	return ask(c, func(ctx context.Context, s state) (types.Node, error) {
		n, err := s.findNode(ctx, input)
		if err != nil {
			return types.Node{}, err
		}
		return nodeFromGRPC(*n), nil
	})
}

// UpdateNode changes a node's spec: its role, availability, labels.
func (c *Cluster) UpdateNode(input string, version uint64, spec types.NodeSpec) error {
	return c.manage(func(ctx context.Context, s state) error {
		converted, err := convert.NodeSpecToGRPC(spec)
		if err != nil {
			return errdefs.InvalidParameter(err)
		}
		n, err := s.findNode(ctx, input)
		if err != nil {
			return err
		}
		_, err = s.control.UpdateNode(ctx, &api.UpdateNodeRequest{NodeID: n.ID, Spec: &converted, NodeVersion: &api.Version{Index: version}})
		return err
	})
}

// RemoveNode removes a node that is down, or any worker by force.
func (c *Cluster) RemoveNode(input string, force bool) error {
	return c.manage(func(ctx context.Context, s state) error {
		n, err := s.findNode(ctx, input)
		if err != nil {
			return err
		}
		_, err = s.control.RemoveNode(ctx, &api.RemoveNodeRequest{NodeID: n.ID, Force: force})
		return err
	})
}
