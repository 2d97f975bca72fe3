package emulator

import (
	"slices"
	"strconv"
	"strings"
)

// place is a location of Azure.
type place struct {
	name, display string
	zones         int // 0: it has none
}

var locations = []place{
	{"eastus", "East US", 3}, {"eastus2", "East US 2", 3}, {"francecentral", "France Central", 3}, {"germanywestcentral", "Germany West Central", 3},
	{"northeurope", "North Europe", 3}, {"swedencentral", "Sweden Central", 3}, {"uksouth", "UK South", 3}, {"ukwest", "UK West", 0},
	{"westeurope", "West Europe", 3}, {"westus", "West US", 0}, {"westus2", "West US 2", 3}, {"westus3", "West US 3", 3},
}

// location is a location's name as Azure keeps it: "West Europe" is westeurope.
func location(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }

func placeOf(name string) *place {
	i := slices.IndexFunc(locations, func(l place) bool { return l.name == name })
	if i < 0 {
		return nil
	}
	return &locations[i]
}

// faultDomains is how many of them availability sets have there at most.
func faultDomains(location string) int {
	if slices.Contains([]string{"eastus", "eastus2", "northeurope", "westeurope", "westus"}, location) {
		return 3
	}
	return 2
}

func isLocation(name string) bool { return placeOf(name) != nil }

func locationNames() []string {
	var out []string
	for _, l := range locations {
		out = append(out, l.name)
	}
	return out
}

// checkZones refuses zones that a location does not have.
func checkZones(kind, at string, zones []string) error {
	var have []string
	for z := range placeOf(at).zones {
		have = append(have, strconv.Itoa(z+1))
	}
	for _, z := range zones {
		if have == nil {
			return bad("LocationDoesNotSupportAvailabilityZones", "The resource type '%s' does not support availability zones at location '%s'.", kind, at)
		}
		if !slices.Contains(have, z) {
			return bad("AvailabilityZoneNotSupported", "The zone(s) '%s' for resource type '%s' is not supported. The supported zones for location '%s' are '%s'.", z, kind, at, strings.Join(have, ","))
		}
	}
	return nil
}
