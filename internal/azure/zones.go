package azure

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// spread chooses the zones of machines that are to come and do not say one, and of
// their data disks. f is nil where no machine is to come: one that is made anew
// stays in its zone, and a disk can be new. It returns what is wrong with machines
// whose zones cannot be chosen; unread is why sizes are not known.
func (c *Conn) spread(declared []*resource.Declaration, obs *resource.Observation, f *foresight, unread error) diag.List {
	machines, disks := liveZones(obs, VMKind), liveZones(obs, DiskKind)
	for _, d := range declared {
		if _, live := disks[declaredName(d)]; d.Kind == DiskKind && !live && argument(d, "zone") != nil {
			disks[declaredName(d)] = asText(argument(d, "zone"))
		}
	}
	var all []placed
	chosen := map[string]string{}
	for _, d := range declared {
		if d.Kind != VMKind || d.External {
			continue
		}
		p := placed{name: declaredName(d), zone: asText(argument(d, "zone")), pos: d.Pos}
		if at, settled := machines[p.name]; settled {
			p.settled, p.zone = true, cmp.Or(p.zone, at)
		}
		for _, disk := range dataDisks(d) { // a machine is where its disks are
			p.zone = cmp.Or(p.zone, disks[disk])
		}
		if argument(d, "availability_set") != nil {
			p.zone, p.inSet = "", true
		} else if p.zone != "" {
			chosen[p.name] = p.zone
		} else if s, ok := f.sizeFor(d.Args); ok {
			p.zones = s.zones
		}
		all = append(all, p)
	}
	for name, zone := range spreadZones(all) {
		chosen[name] = zone
	}
	places := map[string]string{}
	for _, d := range declared {
		if d.Kind != VMKind || d.External {
			continue
		}
		for _, disk := range dataDisks(d) {
			places[disk] = chosen[declaredName(d)]
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zones, c.places = chosen, places
	if f == nil || len(f.sizes) > 0 {
		return nil
	}
	return together(all, unread)
}

// together says of machines that would be in no zone for good that they are to be kept
// apart from others: no size is known, and so no zone. One by itself can be in none, and
// so can one that comes to others which are.
func together(all []placed, unread error) (out diag.List) {
	hint := "have the login given Microsoft.Compute/skus/read on the subscription, as the role Reader has it"
	if isUnregistered(unread) {
		hint = "register the subscription: az provider register --namespace Microsoft.Compute --wait"
	}
	count, apart := map[string]int{}, map[string]bool{}
	for _, p := range all {
		if p.zone != "" {
			apart[p.family()] = true
		} else if !p.settled && !p.inSet {
			count[p.family()]++
		}
	}
	for _, p := range all {
		if p.zone == "" && !p.settled && !p.inSet && (count[p.family()] > 1 || apart[p.family()]) {
			out = append(out, &diag.Diagnostic{
				Pos: p.pos, Summary: fmt.Sprintf("vm.%s: it is to be in another zone than those of its kind, and the zones that there are cannot be read", p.name),
				Hint: hint + "; or say zone = or availability_set =",
			})
		}
	}
	return out
}

// settle notes where machines and disks are, or are to be. A disk of several zones is
// not noted: it is where its machine is.
func (f *foresight) settle(c *Conn, declared []*resource.Declaration, obs *resource.Observation) {
	c.mu.Lock()
	f.places = c.zones
	c.mu.Unlock()
	f.disks = liveZones(obs, DiskKind)
	sku, _ := diskSchema.Field("sku")
	for _, o := range obs.Objects {
		if o.Kind == DiskKind.Name && redundant(asText(o.Args[sku.Index])) {
			delete(f.disks, o.Name)
		}
	}
	for _, d := range declared {
		if _, live := f.disks[declaredName(d)]; d.Kind == DiskKind && !live && argument(d, "zone") != nil {
			f.disks[declaredName(d)] = asText(argument(d, "zone"))
		}
	}
}

// apart are the machines that are to have disks of another zone than their own. One
// that is made anew for it would be gone before Azure refuses.
func (f *foresight) apart(list []resource.Prospect) []resource.Finding {
	anew := map[string]bool{}
	for _, p := range list {
		if p.Kind == DiskKind.Name && p.Anew && p.Live != nil {
			anew[p.Live.Name] = true
		}
	}
	zone, _ := vmSchema.Field("zone")
	name, _ := vmSchema.Field("name")
	disks, _ := vmSchema.Field("data_disks")
	var out []resource.Finding
	for _, p := range list {
		if p.Kind != VMKind.Name || !p.Changes || p.Schema != vmSchema {
			continue
		}
		at := cmp.Or(asText(p.Args[zone.Index]), f.places[asText(p.Args[name.Index])])
		said, _ := value.Reveal(p.Args[disks.Index]).(value.List)
		for _, e := range said {
			is, noted := f.disks[diskName(e)]
			if !noted || is == at || anew[diskName(e)] {
				continue
			}
			out = append(out, resource.Finding{Address: p.Address, Diagnostic: diag.Diagnostic{
				Severity: diag.Error,
				Summary:  fmt.Sprintf("%s: it is to be in %s, and disk %s is in %s", p.Title, zoneSaid(at), diskName(e), zoneSaid(is)),
				Hint:     "a machine can only have disks of its own zone, and those of a ZRS sku; a disk goes to another by a snapshot",
			}})
		}
	}
	return out
}

func zoneSaid(zone string) string {
	if zone == "" {
		return "no zone"
	}
	return "zone " + zone
}

// liveZones are the zones of what is there, by their names.
func liveZones(obs *resource.Observation, kind *resource.Kind) map[string]string {
	zone, _ := kind.Schema.Field("zone")
	out := map[string]string{}
	for _, o := range obs.Objects {
		if o.Kind == kind.Name {
			out[o.Name] = asText(o.Args[zone.Index])
		}
	}
	return out
}

func declaredName(d *resource.Declaration) string { return asText(argument(d, "name")) }

// dataDisks are the names of the disks that a declared machine is to have.
func dataDisks(d *resource.Declaration) (names []string) {
	list, _ := argument(d, "data_disks").(value.List)
	for _, e := range list {
		names = append(names, diskName(e))
	}
	return names
}

// diskName is what a data disk is called, "" where that is not known yet.
func diskName(v value.Value) string {
	disk, _ := schema.Of(DataDisk{}).Field("disk")
	if fields, ok := value.Reveal(v).(value.Struct); ok {
		switch v := value.Reveal(fields[disk.Index]).(type) {
		case value.Ref:
			return v.Address.Name()
		case string:
			return v
		}
	}
	return ""
}

// chosenZone is the zone that was chosen for a machine, "" for none.
func (c *Conn) chosenZone(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.zones[name]
}

// chosenDiskZone is the zone of the machine that a disk is for, nil for none.
func (c *Conn) chosenDiskZone(name string) *string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if zone := c.places[name]; zone != "" {
		return &zone
	}
	return nil
}

// placed is a machine and its zone, or those that it could be in.
type placed struct {
	name    string
	zone    string // "" where it has none
	settled bool   // it is there
	inSet   bool   // it is in an availability set
	zones   []string
	pos     diag.Pos
}

// family is what machines have in common whose names differ only in their number.
func (p placed) family() string { return strings.TrimRight(p.name, "0123456789") }

// spreadZones chooses zones: of machines whose names differ only in their number,
// each goes to the zone with the fewest of them. What is there stays where it is.
func spreadZones(all []placed) map[string]string {
	count := map[string]map[string]int{}
	for _, p := range all {
		if count[p.family()] == nil {
			count[p.family()] = map[string]int{}
		}
		if p.zone != "" {
			count[p.family()][p.zone]++
		}
	}
	out := map[string]string{}
	for _, p := range all {
		if p.zone != "" || p.settled || len(p.zones) == 0 {
			continue
		}
		has := count[p.family()]
		zone := slices.MinFunc(slices.Sorted(slices.Values(p.zones)), func(a, b string) int { return has[a] - has[b] })
		out[p.name] = zone
		has[zone]++
	}
	return out
}
