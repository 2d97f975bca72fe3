package azure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// foresight is what a plan can be held against before anything is written: what the
// location has, and what the subscription may have of it.
type foresight struct {
	project  string
	location string
	sizes    []sku
	usages   map[string]usage // by the lower-cased name of the quota
	images   map[string]error // what is wrong with an image, by its name
	builds   map[string]build // what an image is for, by its name
	unasked  bool             // sizes, quotas and images are not known
	rights   rights           // what the login may do
	labels   map[string]bool  // the names in DNS that somebody else has

	places map[string]string // the zones of machines, by their names
	disks  map[string]string // the zones of disks that are in one or in none
	fast   map[string]bool   // the interfaces that are to have accelerated networking
}

// build is what machines an image is for.
type build struct {
	arm64      bool
	generation string // "V1", "V2"; "": not told
}

// Inquire implements [resource.Inquirer]. Azure is asked for sizes, quotas and
// images where machines are to come, or to change; and then only for what they
// need. What speaks against the plan, its forecast says.
func (c *Conn) Inquire(ctx context.Context, q resource.Query, obs *resource.Observation) diag.List {
	if problems := c.elsewhere(q, obs); problems != nil {
		return problems
	}
	were, fast := accelerated(q.Declared, obs)
	coming, made := c.coming(q, obs, func(vm *resource.Declaration) bool {
		nic := interfaceOf(vm.Args)
		return fast[nic] && !were[nic]
	}), toMake(q, obs)
	f := &foresight{project: c.project, location: c.cfg.Location, images: map[string]error{}, builds: map[string]build{}, unasked: true, fast: fast, usages: map[string]usage{}}
	c.mu.Lock()
	c.fast = fast
	c.mu.Unlock()
	if len(coming) == 0 {
		c.spread(q.Declared, obs, nil, nil)
		f.settle(c, q.Declared, obs)
	}
	obs.Forecaster = f
	if len(coming) == 0 && len(made) == 0 {
		return nil
	}
	cl, err := c.dial(ctx)
	if err != nil {
		return c.notAsked(append(coming, made...)[0], everything, err)
	}
	f.rights, f.labels = c.readRights(ctx, cl, obs), c.takenLabels(ctx, cl, made, obs)
	if len(coming) == 0 {
		return c.askNetwork(ctx, cl, f, made)
	}
	f.sizes, err = c.sizes(ctx, cl)
	together := c.spread(q.Declared, obs, f, err)
	f.settle(c, q.Declared, obs)
	if err != nil {
		return append(c.notAsked(coming[0], everything, err), together...)
	}
	f.unasked = false
	if len(f.sizes) == 0 { // there is no such region, which the forecast says
		return nil
	}
	var problems diag.List
	if f.usages, err = readUsages(ctx, cl, c.cfg.Location); err != nil {
		problems = c.notAsked(coming[0], "quotas", err)
	} else {
		problems = c.askNetwork(ctx, cl, f, made)
	}
	for _, d := range coming {
		if image := imageSaid(argument(d, "image")); image != "" {
			what, err := c.checkImage(ctx, cl, Image(image))
			if err != nil {
				f.images[image] = err
			}
			if err != nil || strings.HasPrefix(image, "/") {
				continue // not told
			}
			f.builds[image] = build{text(what.Architecture) == string(armcompute.ArchitectureTypesArm64), text(what.HyperVGeneration)}
		}
	}
	for _, o := range obs.Objects {
		if n, ok := o.Native.(*native); ok && o.Kind == VMKind.Name {
			n.sizes = f.sizes
		}
	}
	return problems
}

// everything is what a plan is held against where machines are to come.
const everything = "sizes, quotas and images"

func (c *Conn) notAsked(d *resource.Declaration, what string, err error) diag.List {
	return diag.List{{Pos: d.Pos, Severity: diag.Warning, Summary: what + " were not checked: " + err.Error()}}
}

// held are the arguments of machines that are held against what the location has.
var held = []string{"size", "cpus", "memory", "zone", "image", "spot", "accelerated_networking", "data_disks"}

// differs reports whether a live machine is to be another one in what is held against
// what the location has.
func differs(o *resource.Object, d *resource.Declaration) bool {
	return slices.ContainsFunc(held, func(name string) bool {
		f, _ := vmSchema.Field(name)
		change := schema.Change{Path: name, Field: f, Before: o.Args[f.Index], After: argument(d, name)}
		return change.After != nil && !value.Equal(change.Before, change.After) && !sameVM(o, d.Args, change)
	})
}

// coming are the declared machines that are not there, or are to be others: by what they
// say, or by something else.
func (c *Conn) coming(q resource.Query, obs *resource.Observation, also func(*resource.Declaration) bool) []*resource.Declaration {
	live := map[value.Address]*resource.Object{}
	for _, o := range obs.Objects {
		if o.Kind == VMKind.Name && o.Mark.Project == q.Project {
			live[o.Mark.Address] = o
		}
	}
	var out []*resource.Declaration
	for _, d := range q.Declared {
		if d.Kind != VMKind || d.External {
			continue
		}
		o := live[d.Address]
		if o == nil || differs(o, d) || also(d) {
			out = append(out, d)
		}
	}
	return out
}

func asText(v value.Value) string {
	s, _ := value.Reveal(v).(string)
	return s
}

// sizeFor is the size that arguments come to, as far as they are known.
func (f *foresight) sizeFor(args value.Struct) (sku, bool) {
	if f == nil {
		return sku{}, false
	}
	if name, ok := valueIn(vmSchema, args, "size").(string); ok {
		return findSize(f.sizes, name)
	}
	return choose(f.sizes, f.wanted(args))
}

// disksOf is how many data disks a machine is to have.
func disksOf(args value.Struct) int {
	field, _ := vmSchema.Field("data_disks")
	list, _ := value.Reveal(args[field.Index]).(value.List)
	return len(list)
}

func (f *foresight) wanted(args value.Struct) want {
	get := func(name string) value.Value { return valueIn(vmSchema, args, name) }
	cpus, _ := get("cpus").(int64)
	memory, _ := get("memory").(int64)
	return want{cpus: int(cpus), memory: memory, zone: asText(get("zone")), disks: disksOf(args), fast: f.isFast(args), spot: get("spot") == true}
}

// Forecast implements [resource.Forecaster].
func (f *foresight) Forecast(list, _ []resource.Prospect) []resource.Finding {
	out := slices.Concat(f.forbidden(list), f.taken(list), f.apart(list), f.doubled(list), f.tooSlow(list), f.crowded(list), f.tooMuch(networkGrowth(list), "ask for more with az quota, or use another region"), unconnected(list))
	if f.unasked {
		return out
	}
	grown := growth{} // of CPUs
	for _, p := range list {
		if p.Kind != VMKind.Name || !p.Changes || p.Schema != vmSchema {
			continue
		}
		refuse := func(format string, a ...any) {
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{Severity: diag.Error, Summary: p.Title + ": " + fmt.Sprintf(format, a...)}})
		}
		isNew := p.Live == nil || p.Anew
		if !isNew && !slices.ContainsFunc(p.Fields, func(c schema.Change) bool {
			return slices.Contains(held, c.Field.Name)
		}) {
			continue
		}
		s, problem := f.fit(p.Args)
		if problem != "" {
			refuse("%s", problem)
			continue
		}
		image, _ := vmSchema.Field("image")
		if err := f.images[imageSaid(p.Args[image.Index])]; err != nil && isNew {
			refuse("%s", err)
		}
		before := sku{}
		if p.Live != nil {
			before, _ = f.sizeFor(p.Live.Args)
		}
		for _, quota := range quotasOf(s, p.Args) {
			n := s.cpus
			if slices.Contains(quotasOf(before, p.Args), quota) {
				n -= before.cpus
			}
			grown.add(p.Address, n, quota)
		}
	}
	return append(out, f.tooMuch(grown, "ask for more with az quota, or use another size or region")...)
}

// fit is the size that a machine is to have, or why it cannot.
func (f *foresight) fit(args value.Struct) (sku, string) {
	get := func(name string) value.Value {
		field, _ := vmSchema.Field(name)
		return value.Reveal(args[field.Index])
	}
	s, ok := f.sizeFor(args)
	name, given := get("size").(string)
	zone := asText(get("zone"))
	switch {
	case len(f.sizes) == 0:
		return s, fmt.Sprintf("there is no region %q, or it has no machines; az account list-locations shows what there is", f.location)
	case !ok && given:
		var names []string
		for _, s := range f.sizes {
			names = append(names, s.name)
		}
		problem := fmt.Sprintf("%s has no size %q", f.location, name)
		if hint := diag.DidYouMean("Standard_"+strings.TrimPrefix(name, "Standard_"), names); hint != "" {
			problem += " (" + hint + ")"
		}
		return s, problem
	case !ok:
		return s, noSize(f.wanted(args), f.location)
	case s.refused != "":
		return s, fmt.Sprintf("this subscription cannot have %s in %s (%s); use another size or region", s.name, f.location, s.refused)
	case s.disks > 0 && disksOf(args) > s.disks:
		return s, fmt.Sprintf("%s takes %d data disks at most, not %d; use another size", s.name, s.disks, disksOf(args))
	case s.slow && f.isFast(args):
		return s, s.name + " takes no accelerated networking; use another size"
	case s.steady && get("spot") == true:
		return s, "there are no spot machines of " + s.name + "; use another size, or cpus and memory"
	case !f.bootsOn(s, imageSaid(get("image"))):
		return s, fmt.Sprintf("%s does not boot image %s, which is for other processors or for another generation of machines; use another size or image", s.name, imageSaid(get("image")))
	case zone != "" && !slices.Contains(s.zones, zone):
		in := "none"
		if len(s.zones) > 0 {
			in = strings.Join(s.zones, ", ")
		}
		return s, fmt.Sprintf("%s is not to be had in zone %s of %s; the zones that have it: %s", s.name, zone, f.location, in)
	}
	return s, ""
}

// imageSaid is the image that an argument says, also by saying nothing; "" where that
// is not known.
func imageSaid(v value.Value) string {
	if v == nil {
		return shortImages["debian-12"] + ":" + latest
	}
	return asText(v)
}

// bootsOn reports whether machines of a size boot an image, as far as that is told.
func (f *foresight) bootsOn(s sku, image string) bool {
	b, known := f.builds[image]
	for said, is := range f.builds { // a machine that is there tells its version
		if !known && sameImage(image, said) {
			b, known = is, true
		}
	}
	if !known {
		return true
	}
	return s.arm64 == b.arm64 && (s.boots == "" || b.generation == "" || slices.Contains(strings.Split(s.boots, ","), b.generation))
}
