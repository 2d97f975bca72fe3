package azure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// sku is a size of machines that a location has.
type sku struct {
	name     string // "Standard_B2s"
	family   string // what its quota is counted by
	cpus     int
	memory   int64 // bytes
	zones    []string
	refused  string // why this subscription cannot have it, "" where it can
	premium  bool
	arm64    bool
	disks    int    // data disks at most; 0: not told
	temp     bool   // it has a temporary disk, which a resize can neither give nor take
	confined bool   // for special uses: GPUs, confidential computing
	slow     bool   // it takes no accelerated networking
	steady   bool   // it is not to be had as a spot machine
	boots    string // the generations of images that it boots, "V1,V2"; "": not told
}

// readSKU reads what Azure says of a size, and of the zones that this subscription
// may have it in.
func readSKU(r *armcompute.ResourceSKU, location string) sku {
	s := sku{name: text(r.Name), family: text(r.Family)}
	for _, c := range r.Capabilities {
		v := text(c.Value)
		switch text(c.Name) {
		case "vCPUs":
			s.cpus, _ = strconv.Atoi(v)
		case "MemoryGB":
			gb, _ := strconv.ParseFloat(v, 64)
			s.memory = int64(math.Round(gb * (1 << 30)))
		case "MaxDataDiskCount":
			s.disks, _ = strconv.Atoi(v)
		case "PremiumIO":
			s.premium = strings.EqualFold(v, "true")
		case "AcceleratedNetworkingEnabled":
			s.slow = strings.EqualFold(v, "false")
		case "LowPriorityCapable":
			s.steady = strings.EqualFold(v, "false")
		case "HyperVGenerations":
			s.boots = v
		case "MaxResourceVolumeMB":
			s.temp = v != "" && v != "0"
		case "CpuArchitectureType":
			s.arm64 = strings.EqualFold(v, "arm64")
		case "GPUs", "ConfidentialComputingType":
			s.confined = v != "" && v != "0"
		}
	}
	for _, l := range r.LocationInfo {
		if strings.EqualFold(plainLocation(text(l.Location)), location) {
			s.zones = texts(l.Zones)
		}
	}
	for _, x := range r.Restrictions {
		switch {
		case text(x.Type) == string(armcompute.ResourceSKURestrictionsTypeLocation):
			s.refused = cmp.Or(text(x.ReasonCode), "NotAvailableForSubscription")
		case text(x.Type) == string(armcompute.ResourceSKURestrictionsTypeZone) && x.RestrictionInfo != nil:
			closed := texts(x.RestrictionInfo.Zones)
			s.zones = slices.DeleteFunc(s.zones, func(z string) bool { return slices.Contains(closed, z) })
		}
	}
	slices.Sort(s.zones)
	return s
}

// sizes are those of the location. They are asked for once: the list is long.
func (c *Conn) sizes(ctx context.Context, cl *clients) ([]sku, error) {
	c.mu.Lock()
	known := c.skus
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	filter := fmt.Sprintf("location eq '%s'", c.cfg.Location)
	list, err := pages(ctx, cl.skus.NewListPager(&armcompute.ResourceSKUsClientListOptions{Filter: &filter}),
		func(p armcompute.ResourceSKUsClientListResponse) []*armcompute.ResourceSKU { return p.Value })
	if err != nil {
		return nil, err
	}
	got := []sku{}
	for _, r := range list {
		if strings.EqualFold(text(r.ResourceType), "virtualMachines") && inLocation(r, c.cfg.Location) {
			got = append(got, readSKU(r, c.cfg.Location))
		}
	}
	slices.SortFunc(got, func(a, b sku) int { return strings.Compare(a.name, b.name) })
	c.mu.Lock()
	c.skus = got
	c.mu.Unlock()
	return got, nil
}

func inLocation(r *armcompute.ResourceSKU, location string) bool {
	return slices.ContainsFunc(r.Locations, func(l *string) bool { return plainLocation(text(l)) == location })
}

func findSize(list []sku, name string) (sku, bool) {
	i := slices.IndexFunc(list, func(s sku) bool { return strings.EqualFold(s.name, name) })
	if i < 0 {
		return sku{}, false
	}
	return list[i], true
}

// want is what a machine is to have at least.
type want struct {
	cpus   int   // 0: any
	memory int64 // bytes; 0: any
	zone   string
	disks  int  // data disks
	like   *sku // a size that a resize can come from; nil: any
	fast   bool // accelerated networking
	spot   bool
}

func (w want) fits(s sku) bool {
	if w.fast && s.slow || w.spot && s.steady {
		return false
	}
	return (w.like == nil || s.temp == w.like.temp) && s.cpus >= w.cpus && s.memory >= w.memory && (s.disks == 0 || s.disks >= w.disks) && (w.zone == "" || slices.Contains(s.zones, w.zone))
}

// families are the series that are chosen from where a script says no size, the
// cheapest first: general purpose, x86-64, with premium disks. The newest of one
// comes first.
var families = []string{"Standard_B", "Standard_D", "Standard_E", "Standard_F"}

// leastMemory is what a size that is chosen has for each CPU.
const leastMemory = 1 << 30

// choose returns the smallest size that has what is wanted: the fewest CPUs, then
// the least memory, then the cheapest series.
func choose(list []sku, w want) (sku, bool) {
	if w.memory == 0 { // some have so little that no engine runs well
		w.memory = int64(max(w.cpus, 1)) * leastMemory
	}
	var best sku
	found := false
	for _, s := range list {
		if s.refused != "" || s.arm64 || s.confined || !s.premium || seriesOf(s.name) < 0 || !w.fits(s) {
			continue
		}
		if !found || smaller(s, best) {
			best, found = s, true
		}
	}
	return best, found
}

func seriesOf(name string) int {
	return slices.IndexFunc(families, func(f string) bool { return strings.HasPrefix(name, f) })
}

func smaller(a, b sku) bool {
	switch {
	case a.cpus != b.cpus:
		return a.cpus < b.cpus
	case a.memory != b.memory:
		return a.memory < b.memory
	case seriesOf(a.name) != seriesOf(b.name):
		return seriesOf(a.name) < seriesOf(b.name)
	}
	return a.name > b.name // of one series the later version
}

// measure adds to machines what only the list of sizes tells, where the script says
// cpus or memory.
func (c *Conn) measure(ctx context.Context, cl *clients, q resource.Query, obs *resource.Observation) error {
	needed := slices.ContainsFunc(q.Declared, func(d *resource.Declaration) bool {
		return d.Kind == VMKind && (argument(d, "cpus") != nil || argument(d, "memory") != nil)
	})
	if !needed || !slices.ContainsFunc(obs.Objects, func(o *resource.Object) bool { return o.Kind == VMKind.Name }) {
		return nil
	}
	list, err := c.sizes(ctx, cl)
	if err != nil {
		return err
	}
	cpus, _ := vmSchema.Field("cpus")
	memory, _ := vmSchema.Field("memory")
	size, _ := vmSchema.Field("size")
	for _, o := range obs.Objects {
		if o.Kind != VMKind.Name {
			continue
		}
		name, _ := o.Args[size.Index].(string)
		if s, ok := findSize(list, name); ok {
			o.Args[cpus.Index], o.Args[memory.Index] = int64(s.cpus), s.memory
		}
	}
	return nil
}
