package emulator

import (
	"slices"
	"strconv"
	"strings"
)

// vmSize is a size of virtual machines.
type vmSize struct {
	name   string
	family string // as quotas are counted
	cpus   int
	memory float64 // GiB
	disks  int     // data disks at most
	nics   int
	temp   int    // MB of its temporary disk; 0: it has none
	arch   string // "" is x64
	// Accelerated networking, and disks kept on premium storage.
	fast, premium bool
}

var sizes = []vmSize{
	{"Standard_A1_v2", "standardAv2Family", 1, 2, 2, 2, 10240, "", false, false},
	{"Standard_A2_v2", "standardAv2Family", 2, 4, 4, 2, 20480, "", false, false},
	{"Standard_B1s", "standardBSFamily", 1, 1, 2, 2, 4096, "", false, true},
	{"Standard_B1ms", "standardBSFamily", 1, 2, 2, 2, 4096, "", false, true},
	{"Standard_B2s", "standardBSFamily", 2, 4, 4, 3, 8192, "", false, true},
	{"Standard_B2ms", "standardBSFamily", 2, 8, 4, 3, 16384, "", false, true},
	{"Standard_B4ms", "standardBSFamily", 4, 16, 8, 4, 32768, "", false, true},
	{"Standard_B2as_v2", "standardBasv2Family", 2, 8, 4, 2, 0, "", true, true},
	{"Standard_B2ps_v2", "standardBpsv2Family", 2, 8, 4, 2, 0, "Arm64", true, true},
	{"Standard_D2s_v5", "standardDSv5Family", 2, 8, 4, 2, 0, "", true, true},
	{"Standard_D4s_v5", "standardDSv5Family", 4, 16, 8, 2, 0, "", true, true},
	{"Standard_D8s_v5", "standardDSv5Family", 8, 32, 16, 4, 0, "", true, true},
	{"Standard_D2ds_v5", "standardDDSv5Family", 2, 8, 4, 2, 76800, "", true, true},
	{"Standard_E2s_v5", "standardESv5Family", 2, 16, 4, 2, 0, "", true, true},
	{"Standard_E4s_v5", "standardESv5Family", 4, 32, 8, 2, 0, "", true, true},
	{"Standard_F2s_v2", "standardFSv2Family", 2, 4, 4, 2, 16384, "", true, true},
	{"Standard_F4s_v2", "standardFSv2Family", 4, 8, 8, 2, 32768, "", true, true},
}

func sizeOf(name string) *vmSize {
	i := slices.IndexFunc(sizes, func(s vmSize) bool { return strings.EqualFold(s.name, name) })
	if i < 0 {
		return nil
	}
	return &sizes[i]
}

// size is what a machine of it has of the computer.
func (s *vmSize) size() Size { return Size{CPUs: s.cpus, Memory: int64(s.memory * (1 << 30))} }

// spot reports whether there are spot machines of it: there are none of B sizes.
func (s *vmSize) spot() bool { return !strings.HasPrefix(s.family, "standardB") }

// zonesAt are the zones of a location that have a size: E sizes are not in zone 3
// of westeurope, as sizes are missing somewhere in Azure.
func (s *vmSize) zonesAt(at string) []string {
	var out []string
	for z := range placeOf(at).zones {
		zone := strconv.Itoa(z + 1)
		if at == "westeurope" && zone == "3" && s.family == "standardESv5Family" {
			continue
		}
		out = append(out, zone)
	}
	return out
}

// restricted says why a location does not have a size for this subscription, ""
// where it has: F sizes are not for it in westus.
func (s *vmSize) restricted(at string) string {
	if at == "westus" && s.family == "standardFSv2Family" {
		return "NotAvailableForSubscription"
	}
	return ""
}

// skus answers the list of sizes, by location where a filter says one.
func (t *tx) skus(c *call) (*answer, error) {
	filter := c.URL.Query().Get("$filter")
	only := ""
	if filter != "" {
		name, value, found := strings.Cut(filter, " eq ")
		if !found || strings.TrimSpace(name) != "location" {
			return nil, bad("InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string: only location eq 'NAME' is known.", filter)
		}
		only = location(strings.Trim(strings.TrimSpace(value), "'"))
	}
	var out []object
	for _, l := range locations {
		for i := range sizes {
			if only == "" || only == l.name {
				out = append(out, sizes[i].sku(l))
			}
		}
	}
	return t.page(c, out)
}

func (s *vmSize) sku(l place) object {
	arch := s.arch
	if arch == "" {
		arch = "x64"
	}
	capabilities := []any{}
	add := func(name, value string) { capabilities = append(capabilities, object{"name": name, "value": value}) }
	yes := func(b bool) string { return map[bool]string{true: "True", false: "False"}[b] }
	add("MaxResourceVolumeMB", strconv.Itoa(s.temp))
	add("vCPUs", strconv.Itoa(s.cpus))
	add("MemoryGB", strconv.FormatFloat(s.memory, 'f', -1, 64))
	add("MaxDataDiskCount", strconv.Itoa(s.disks))
	add("CpuArchitectureType", arch)
	add("HyperVGenerations", "V1,V2")
	add("PremiumIO", yes(s.premium))
	add("AcceleratedNetworkingEnabled", yes(s.fast))
	add("LowPriorityCapable", yes(s.spot()))
	add("EncryptionAtHostSupported", "True")
	add("MaxNetworkInterfaces", strconv.Itoa(s.nics))
	restrictions := []any{}
	if reason := s.restricted(l.name); reason != "" {
		restrictions = append(restrictions, object{
			"type": "Location", "values": []any{l.name}, "restrictionInfo": object{"locations": []any{l.name}}, "reasonCode": reason,
		})
	}
	name := strings.TrimPrefix(s.name, "Standard_")
	return object{
		"resourceType": "virtualMachines", "name": s.name, "tier": "Standard", "size": name, "family": s.family, "locations": []any{l.name},
		"locationInfo": []any{object{"location": l.name, "zones": list(s.zonesAt(l.name)), "zoneDetails": []any{}}},
		"capabilities": capabilities, "restrictions": restrictions,
	}
}

// vmSizes answers the list of sizes of a location.
func vmSizes() []object {
	var out []object
	for _, s := range sizes {
		out = append(out, object{
			"name": s.name, "numberOfCores": float64(s.cpus), "osDiskSizeInMB": float64(1047552), "resourceDiskSizeInMB": float64(s.temp),
			"memoryInMB": s.memory * 1024, "maxDataDiskCount": float64(s.disks),
		})
	}
	return out
}

// coresUsed counts the virtual CPUs of a location, of one family or of all ("").
func (t *tx) coresUsed(at, family string) int {
	used := 0
	for _, key := range t.below("/") {
		r := t.get(key)
		if r.path().kind() != vmKind || r.location() != at || r.Power == powerDeallocated {
			continue
		}
		if s := sizeOf(text(r.Body, "properties", "hardwareProfile", "vmSize")); s != nil && (family == "" || s.family == family) {
			used += s.cpus
		}
	}
	return used
}

// computeUsages answers what of Compute's quotas is used in a location.
func (t *tx) computeUsages(at string) []object {
	out := []object{
		usage("Count", "cores", "Total Regional vCPUs", t.coresUsed(at, ""), t.opts.Cores),
		usage("Count", "virtualMachines", "Virtual Machines", t.count(vmKind, at), 25000),
	}
	var seen []string
	for _, s := range sizes {
		if !slices.Contains(seen, s.family) {
			seen = append(seen, s.family)
			out = append(out, usage("Count", s.family, s.family+" vCPUs", t.coresUsed(at, s.family), t.opts.Cores))
		}
	}
	return out
}

// count is how many of a kind there are in a location.
func (t *tx) count(kind, at string) (n int) {
	for _, key := range t.below("/") {
		if r := t.get(key); r.path().kind() == kind && r.location() == at {
			n++
		}
	}
	return n
}

func usage(unit, name, display string, used, limit int) object {
	return object{"unit": unit, "currentValue": float64(used), "limit": float64(limit), "name": object{"value": name, "localizedValue": display}}
}

// networkUsages answers what of Network's quotas is used in a location.
func (t *tx) networkUsages(c *call, at string) []object {
	var out []object
	for _, q := range []struct {
		kind, name, display string
		limit               int
	}{
		{networkKind, "VirtualNetworks", "Virtual Networks", 1000}, {addressKind, "StandardSkuPublicIpAddresses", "Public IPv4 Addresses - Standard", t.opts.Addresses},
		{securityKind, "NetworkSecurityGroups", "Network Security Groups", 5000}, {nicKind, "NetworkInterfaces", "Network Interfaces", 65536},
		{balancerKind, "StandardSkuLoadBalancers", "Standard Sku Load Balancers", 1000},
	} {
		u := usage("Count", q.name, q.display, t.count(q.kind, at), q.limit)
		u["id"] = c.path.id() + "/" + q.name
		out = append(out, u)
	}
	return out
}
