package run

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// TestAzureSoak is [TestSoak] of eight machines in Azure, which is busy at times and
// goes on with what it was asked for when the program dies. Each machine is made once,
// and again only where its script says so; none of what came with one is left.
//
//	go test ./internal/run -run TestAzureSoak -soak.rounds=30 -soak.seed=7 -v
func TestAzureSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	t.Parallel()
	s := newAzureSoak(t, *soakSeed)
	for round := 1; round <= *soakRounds; round++ {
		s.evolve(round)
		s.killed(round, "apply")
		s.finish(round, "apply")
		s.check(round)
	}
	s.killed(*soakRounds+1, "destroy")
	s.finish(*soakRounds+1, "destroy")
	if left := s.server.List(t, "/resources", "2021-04-01"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if left := s.server.List(t, "/resourcegroups", "2021-04-01"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	t.Logf("%d rounds with seed %d: killed %d times", *soakRounds, *soakSeed, s.kills)
}

type azureSoak struct {
	*victim
	server   *azuretest.Server
	declared map[string]*soakMachine
	made     map[string]int    // how often each machine was to be made so far
	ids      map[string]string // of machines
}

// soakMachine is what the script says of a machine.
type soakMachine struct {
	size string
	tag  int // changes in place
	data int // replaces it
}

func newAzureSoak(t *testing.T, seed uint64) *azureSoak {
	s := &azureSoak{declared: map[string]*soakMachine{}, made: map[string]int{}, ids: map[string]string{}}
	_, machines := azuretest.Lab(t)
	s.server = azuretest.Start(t, machines, func(o *emulator.Options) {
		o.OperationTime, o.PollEvery = 100*time.Millisecond, 50*time.Millisecond
	})
	s.server.Fault(emulator.Fault{Every: 7, Status: http.StatusTooManyRequests, RetryAfter: 20 * time.Millisecond})
	s.server.Fault(emulator.Fault{Action: "*/write", Every: 11, Status: http.StatusConflict, RetryAfter: 20 * time.Millisecond})
	s.server.Fault(emulator.Fault{Every: 3, Operation: true, Slow: 300 * time.Millisecond})
	var env []string
	for name, v := range s.server.Env() {
		env = append(env, name+"="+v)
	}
	s.victim = newVictim(t, seed, env...)
	return s
}

// evolve changes what is declared: eight machines at first.
func (s *azureSoak) evolve(round int) {
	sizes := []string{"Standard_B2s", "Standard_B2ms"}
	for i := range 8 {
		name := fmt.Sprintf("web-%d", i)
		m := s.declared[name]
		switch what := s.rand.IntN(10); {
		case m == nil && (round == 1 || what < 7):
			s.declared[name] = &soakMachine{size: sizes[0]}
			s.made[name]++
		case m == nil:
		case what < 2:
			delete(s.declared, name)
			delete(s.ids, name)
		case what == 2:
			m.data++
			s.made[name]++
			delete(s.ids, name)
		case what == 3:
			m.size = sizes[s.rand.IntN(2)]
		case what == 4:
			m.tag++
		}
	}
	var b strings.Builder
	b.WriteString("project(\"soak\", env = \"test\")\naz = azure(\"westeurope\")\n")
	for _, name := range sortedNames(s.declared) {
		m := s.declared[name]
		fmt.Fprintf(&b, "vm(%q, provider = az, size = %q, tags = {\"t\": \"%d\"}, custom_data = \"#!/bin/sh\\n# %d\\n\")\n", name, m.size, m.tag, m.data)
	}
	s.script(b.String())
}

// check looks at what there is in Azure: each machine with what comes with one, and
// nothing else; those that nothing asked to be made anew are the ones that were.
func (s *azureSoak) check(round int) {
	s.Helper()
	s.converged(round)
	there := map[string]int{}
	for _, r := range s.server.List(s, "/resources", "2021-04-01") {
		there[strings.ToLower(r["type"].(string))]++
	}
	n := len(s.declared)
	want := map[string]int{
		"microsoft.compute/virtualmachines": n, "microsoft.compute/disks": n, "microsoft.network/networkinterfaces": n, "microsoft.network/publicipaddresses": n,
		"microsoft.network/networksecuritygroups": 1, "microsoft.network/virtualnetworks": 1,
	}
	if fmt.Sprint(there) != fmt.Sprint(want) {
		s.Errorf("round %d: there are %v, want %v", round, there, want)
	}
	var names []string
	for _, vm := range s.server.List(s, "/resourceGroups/soak-test/providers/Microsoft.Compute/virtualMachines", "2024-07-01") {
		name, id := vm["name"].(string), vm["properties"].(map[string]any)["vmId"].(string)
		names = append(names, name)
		if was := s.ids[name]; was != "" && was != id {
			s.Errorf("round %d: %s is another machine than it was", round, name)
		}
		s.ids[name] = id
	}
	slices.Sort(names)
	if want := sortedNames(s.declared); !slices.Equal(names, want) {
		s.Errorf("round %d: there are %v, want %v", round, names, want)
	}
	made := map[string]int{}
	for _, r := range s.server.Requests() {
		if r.Method == http.MethodPut && r.Status == http.StatusCreated && strings.Contains(r.Path, "/virtualMachines/") {
			made[r.Path[strings.LastIndexByte(r.Path, '/')+1:]]++
		}
	}
	if fmt.Sprint(made) != fmt.Sprint(s.made) {
		s.Errorf("round %d: made were %v, want %v", round, made, s.made)
	}
	if s.Failed() {
		s.FailNow()
	}
}
