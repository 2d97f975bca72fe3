package swarm

import (
	"strings"
	"time"

	"github.com/docker/docker/api/types/volume"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// VolumeSpec is what docker volume create can say. Of a volume nothing can be
// changed but the availability of one of a swarm, and making it anew would
// lose its data: a change is an error.
type VolumeSpec struct {
	Name    string            `star:"name,required,pos,local" doc:"The volume's name."`
	Driver  *string           `star:"driver,replace" ref:"plugin.name" flag:"--driver" doc:"The driver. On an engine local is meant; in a swarm it is a CSI plugin, and has to be given."`
	Options map[string]string `star:"options,replace" flag:"--opt" doc:"Options of the driver."`
	Labels  map[string]string `star:"labels,merge,replace" flag:"--label" doc:"Labels."`

	Type              string              `star:"type,replace" enum:"block,mount" default:"block" flag:"--type" api:"1.42" doc:"How tasks get it: as a device or as a file system. This and what follows belongs to volumes of a swarm."`
	Scope             string              `star:"scope,replace" enum:"single,multi" default:"single" flag:"--scope" api:"1.42" doc:"On how many nodes at a time it can be used."`
	Sharing           string              `star:"sharing,replace" enum:"none,readonly,onewriter,all" default:"none" flag:"--sharing" api:"1.42" doc:"How tasks can use it at a time."`
	Group             string              `star:"group,replace" flag:"--group" api:"1.42" doc:"A service can mount any volume of a group, as group:NAME."`
	Availability      string              `star:"availability" enum:"active,pause,drain" default:"active" flag:"--availability" api:"1.42" doc:"Whether tasks may use it."`
	LimitBytes        schema.Size         `star:"limit_bytes,replace" min:"0" flag:"--limit-bytes" api:"1.42" doc:"The most that it may hold; 0 means no limit."`
	RequiredBytes     schema.Size         `star:"required_bytes,replace" min:"0" flag:"--required-bytes" api:"1.42" doc:"The least that it must hold."`
	Secrets           map[string]string   `star:"secrets,replace" ref:"secret.name" flag:"--secret" api:"1.42" doc:"Secrets of the swarm for the plugin, by the plugin's keys."`
	TopologyRequired  []map[string]string `star:"topology_required,replace" flag:"--topology-required" api:"1.42" doc:"Places, as {\"zone\": \"a\"}, one of which it must be reached from."`
	TopologyPreferred []map[string]string `star:"topology_preferred,replace" flag:"--topology-preferred" api:"1.42" doc:"Places that it should be reached from, the best first."`
}

// SchemaName implements [schema.Named].
func (*VolumeSpec) SchemaName() (string, string) {
	return "volume", "A volume: of one engine, or of a swarm and its CSI plugins (cluster=). A change of it is an error, since it would lose the data."
}

var volumeSchema = schema.Of(VolumeSpec{})

// LocalVolumeKind is a volume of one engine.
var LocalVolumeKind = volumeKind("engine")

// VolumeKind is a cluster volume: one of a swarm.
var VolumeKind = volumeKind("swarm")

func volumeKind(scope string) *resource.Kind {
	return &resource.Kind{
		Name:      "volume",
		Schema:    volumeSchema,
		Scope:     scope,
		Rank:      15,
		API:       map[string]string{"swarm": "1.42"}[scope],
		MarkFixed: true,
		Fixed:     true,
		Busy:      true,
		DataLoss:  "the data in it",
		Out: []resource.Output{
			{Name: "name", Type: "string", Stable: true, Arg: "name", Doc: "The volume's name."},
			{Name: "id", Type: "string", Stable: true, Doc: "What tells it from another one of its name: its ID in a swarm; on an engine its name and when it was made."},
			{Name: "driver", Type: "string", Stable: true, Arg: "driver", Doc: "Its driver."},
			{Name: "mountpoint", Type: "string", Stable: true, Doc: "Where its files are on the engine's host; empty where the driver does not say."},
		},
		Check:    func(args value.Struct) schema.Problems { return checkVolume(scope, args) },
		Complete: func(args value.Struct) { completeVolume(scope, args) },
		Handler:  map[string]resource.Handler{"engine": localVolumeHandler{}, "swarm": volumeHandler{}}[scope],
	}
}

// completeVolume writes an engine's driver as engines do.
func completeVolume(scope string, args value.Struct) {
	if scope != "engine" {
		return
	}
	get, set := fieldsOf(volumeSchema, args)
	switch d := get("driver").(type) {
	case nil:
		set("driver", "local")
	case string:
		set("driver", localDriver(d))
	}
}

// localDriver is a driver's name without the tag that engines add to that of a
// plugin.
func localDriver(name string) string { return strings.TrimSuffix(name, ":latest") }

// reservedVolume begins the names of the volumes in which a project keeps its
// lease and marks on an engine.
const reservedVolume = "swarmscript."

// VolumeObjects returns the volumes that are one engine's own.
func VolumeObjects(volumes []*volume.Volume) []*resource.Object {
	var out []*resource.Object
	for _, v := range volumes {
		if v.ClusterVolume == nil && !isReserved(v) {
			out = append(out, localVolumeObject(v))
		}
	}
	return out
}

// isReserved reports whether a volume is none that a script could declare, but
// a project's own.
func isReserved(v *volume.Volume) bool {
	return strings.HasPrefix(v.Name, reservedVolume) && v.Labels[resource.LabelProject] != ""
}

func localVolumeObject(v *volume.Volume) *resource.Object {
	mark, labels := resource.ReadMark(v.Labels)
	created, _ := time.Parse(time.RFC3339, v.CreatedAt) // not every driver says
	id := v.Name + " of " + v.CreatedAt                 // to the second; the same after a restart of the engine
	driver := localDriver(v.Driver)
	return &resource.Object{
		Kind: "volume", ID: id, Name: v.Name, Mark: mark,
		Args: volumeSchema.Encode(&VolumeSpec{
			Name: v.Name, Driver: &driver, Options: v.Options, Labels: labels,
			Type: "block", Scope: "single", Sharing: "none", Availability: "active", // of which it has none
		}),
		Out:     map[string]value.Value{"name": v.Name, "id": id, "driver": driver, "mountpoint": v.Mountpoint},
		Created: created, Native: v,
	}
}

// observeVolumes returns the swarm's volumes.
func observeVolumes(l *lists) []*resource.Object {
	secrets := map[string]string{}
	for _, s := range l.Secrets {
		secrets[s.ID] = s.Spec.Name
	}
	var out []*resource.Object
	for _, v := range l.Volumes {
		if v.ClusterVolume != nil {
			out = append(out, volumeObject(v, secrets))
		}
	}
	return out
}

// volumeObject is a volume of a swarm; secrets are their names by ID.
func volumeObject(v *volume.Volume, secrets map[string]string) *resource.Object {
	c := v.ClusterVolume
	mark, labels := resource.ReadMark(v.Labels)
	s := &VolumeSpec{
		Name: v.Name, Driver: &v.Driver, Options: v.Options, Labels: labels,
		Type: "block", Group: c.Spec.Group, Availability: string(c.Spec.Availability),
	}
	if m := c.Spec.AccessMode; m != nil {
		s.Scope, s.Sharing = string(m.Scope), string(m.Sharing)
		if m.MountVolume != nil {
			s.Type = "mount"
		}
	}
	if r := c.Spec.CapacityRange; r != nil {
		s.LimitBytes, s.RequiredBytes = schema.Size(r.LimitBytes), schema.Size(r.RequiredBytes)
	}
	if t := c.Spec.AccessibilityRequirements; t != nil {
		s.TopologyRequired, s.TopologyPreferred = segmentsOf(t.Requisite), segmentsOf(t.Preferred)
	}
	o := &resource.Object{
		Kind: "volume", ID: c.ID, Name: v.Name, Mark: mark,
		Out:     map[string]value.Value{"name": v.Name, "id": c.ID, "driver": v.Driver, "mountpoint": v.Mountpoint},
		Version: c.Version.Index, Created: c.CreatedAt, Native: v,
	}
	for _, sec := range c.Spec.Secrets {
		if s.Secrets == nil {
			s.Secrets = map[string]string{}
		}
		s.Secrets[sec.Key] = orSelf(secrets, sec.Secret)
		o.Uses = append(o.Uses, sec.Secret)
	}
	if !provisioned(c) {
		o.Unsettled = "its plugin has not made it"
	}
	o.Args = volumeSchema.Encode(s)
	return o
}

// provisioned reports whether the plugin has made the storage.
func provisioned(c *volume.ClusterVolume) bool { return c.Info != nil && c.Info.VolumeID != "" }

func segmentsOf(list []volume.Topology) (out []map[string]string) {
	for _, t := range list {
		out = append(out, t.Segments)
	}
	return out
}
