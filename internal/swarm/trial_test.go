package swarm

import (
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What is not known yet does not keep a plan from being tried out: it stands as
// the name of what will say it. Secrets that come to be are there.
func TestPlannedService(t *testing.T) {
	p := anew(t, "web", args{
		"replicas": int64(3), "constraints": value.List{"node.labels.tier==web"},
		"env":     value.MapOf(map[string]string{"AT": "x"}),
		"secrets": value.List{secretRef(t, value.Ref{Address: "swarm.main/secret.pw", Output: "name"})},
	})
	env, _ := ServiceSchema.Field("env")
	p.Args[env.Index] = &value.Map{Entries: []value.Entry{{Key: "AT", Value: value.Ref{Address: "vm.m1", Output: "private_ip"}}}}
	spec, hidden, err := PlannedService(&p)
	if err != nil || hidden {
		t.Fatalf("%v, hidden %t", err, hidden)
	}
	c := spec.TaskTemplate.ContainerSpec
	if spec.Name != "web" || *spec.Mode.Replicated.Replicas != 3 || c.Env[0] != "AT=vm.m1.private_ip" || c.Secrets[0].SecretName != "secret.pw.name" {
		t.Errorf("it is %+v with %+v", spec, c)
	}
	if spec.TaskTemplate.ForceUpdate != 0 {
		t.Error("it is renewed though nothing asks for it")
	}

	constraints, _ := ServiceSchema.Field("constraints")
	p.Args[constraints.Index] = value.List{value.Secret{V: "node.labels.tier==web"}}
	if _, hidden, err := PlannedService(&p); err != nil || !hidden {
		t.Errorf("%v, hidden %t: what it asks for is sensitive", err, hidden)
	}
}

// A live service keeps all that is not declared, and its platforms as long as its
// image is the same.
func TestPlannedServiceOfALiveOne(t *testing.T) {
	native := live(2, 2, func(s *swarm.Service) {
		s.Spec.TaskTemplate.Placement = &swarm.Placement{Platforms: []swarm.Platform{{OS: "linux"}}}
		s.Spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{Image: "a"}
		s.Spec.TaskTemplate.LogDriver = &swarm.Driver{Name: "odd"}
	})
	p := anew(t, "web", args{"replicas": int64(5), "log_driver": "odd"})
	p.Anew, p.Restart = false, true
	p.Live = &resource.Object{Kind: "service", Name: "web", Native: native, Args: ServiceSchema.Encode(fromDocker(&native.Spec, liveNames{}))}
	spec, _, err := PlannedService(&p)
	if err != nil {
		t.Fatal(err)
	}
	if *spec.Mode.Replicated.Replicas != 5 || spec.TaskTemplate.LogDriver.Name != "odd" || len(spec.TaskTemplate.Placement.Platforms) != 1 || spec.TaskTemplate.ForceUpdate != 1 {
		t.Errorf("it is %+v with %d replicas, %+v, %+v", spec, *spec.Mode.Replicated.Replicas, spec.TaskTemplate.Placement, spec.TaskTemplate.LogDriver)
	}
	if native.Spec.TaskTemplate.ForceUpdate != 0 {
		t.Error("what is live was changed")
	}
}

// A node that joins is what its engine says; one that is there keeps what is not
// declared.
func TestPlannedNode(t *testing.T) {
	node := func(a args) *resource.Prospect {
		out := resource.Prospect{Address: "swarm.main/node.n1", Kind: "node", Schema: nodeSchema, Args: make(value.Struct, len(nodeSchema.Fields())), Anew: true}
		for name, v := range a {
			f, _ := nodeSchema.Field(name)
			out.Args[f.Index] = v
		}
		return &out
	}
	engine := &swarm.Node{Description: swarm.NodeDescription{Hostname: "n1", Resources: swarm.Resources{NanoCPUs: 4e9}}}
	n, err := PlannedNode(node(args{"name": "n1", "role": "manager", "labels": value.MapOf(map[string]string{"a": "b"})}), resource.Mark{}, engine)
	if err != nil || n.Description.Resources.NanoCPUs != 4e9 || n.Spec.Role != "manager" || n.Spec.Availability != "active" || n.Spec.Labels["a"] != "b" {
		t.Errorf("%v, %+v", err, n)
	}
	was := swarm.Node{ID: "id", Spec: swarm.NodeSpec{Role: "worker", Availability: "drain", Annotations: swarm.Annotations{Labels: map[string]string{"theirs": "x"}}}}
	p := node(args{"name": "n1", "labels": value.MapOf(map[string]string{"a": "b"})})
	p.Anew, p.Live = false, nodeObject(was, false)
	n, err = PlannedNode(p, resource.Mark{}, nil)
	if err != nil || n.Spec.Availability != "drain" || n.Spec.Labels["a"] != "b" || n.Spec.Labels["theirs"] != "x" || was.Spec.Labels["a"] != "" {
		t.Errorf("%v, %+v", err, n)
	}
}

func secretRef(t *testing.T, name value.Value) value.Record {
	t.Helper()
	f, _ := ServiceSchema.Field("secrets")
	item := f.Type.Elem.Struct
	out := value.Record{Type: item.Name, Fields: make(value.Struct, len(item.Fields()))}
	secret, _ := item.Field("secret")
	out.Fields[secret.Index] = name
	return out
}
