package machines_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/run"
)

// A script that was written for the lab makes its machines in Azure, in the region of
// the environment.
func TestProviderAzure(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	server := azuretest.Start(t)
	server.Setenv(t)
	t.Setenv("AZURE_DEFAULTS_LOCATION", "northeurope")
	file := filepath.Join(t.TempDir(), "cluster.star")
	must(t, os.WriteFile(file, []byte("project(\"shop\")\nhosts = [vm(\"m%d\" % i, image = \"debian-12\") for i in range(3)]\n"), 0o600))
	p, err := run.Plan(t.Context(), run.Options{File: file, Provider: "azure", Env: os.LookupEnv})
	must(t, err)
	defer p.Close()
	var out []string
	for _, c := range p.Plan.Changes {
		out = append(out, string(c.Address))
	}
	const want = "azure.default/network_security_group.shop-nsg azure.default/resource_group.shop azure.default/virtual_network.shop-vnet vm.m0 vm.m1 vm.m2"
	slices.Sort(out)
	if got := strings.Join(out, " "); got != want {
		t.Errorf("the plan makes %s, want %s", got, want)
	}
	asked := false
	for _, r := range server.Requests() {
		asked = asked || strings.Contains(r.Path, "/locations/northeurope/usages")
	}
	if !asked {
		t.Error("the region of the environment was not asked for its quotas")
	}
}
