package azure_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// shells are machines that only note what is run on them. What begins with false
// fails.
type shells struct {
	mu  sync.Mutex
	ran []string
}

func (*shells) Boot(context.Context, emulator.Machine) (emulator.Booted, error) {
	return emulator.Booted{}, nil
}
func (*shells) Power(context.Context, string, emulator.Power) error { return nil }
func (*shells) Resize(context.Context, string, emulator.Size) error { return nil }
func (*shells) Delete(context.Context, string) error                { return nil }
func (*shells) Close() error                                        { return nil }

func (s *shells) Run(_ context.Context, id, script string) (emulator.Ran, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = append(s.ran, id[strings.LastIndexByte(id, '/')+1:]+": "+script)
	if strings.HasPrefix(script, "false") {
		return emulator.Ran{Status: 3, Stdout: "began\n", Stderr: "no such disk\n" + strings.TrimPrefix(script, "false")}, nil
	}
	return emulator.Ran{}, nil
}

// takes returns what was run since it was asked last.
func (s *shells) takes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Sorted(slices.Values(s.ran))
	s.ran = nil
	return out
}

const extensions = head + `
machines = [vm("web-%d" % i, provider = az) for i in range(2)]
[vm_extension(m, "setup", settings = {"commandToExecute": "echo hi", "timestamp": 1, "deep": {"a": [1, 2.5, None]}}, tags = {"a": "b"}) for m in machines]
`

// An extension runs once, again where it is another one, and where it has failed.
func TestExtension(t *testing.T) {
	at := &shells{}
	s := newStory(t, func(o *emulator.Options) { o.Machines = at })
	src := extensions
	runs := func(want ...string) {
		t.Helper()
		if got := at.takes(); !slices.Equal(got, want) {
			t.Errorf("there ran %q, want %q", got, want)
		}
	}
	both := func(action, fields string) []string {
		return []string{action + ` vm_extension["web-0/setup"]` + fields, action + ` vm_extension["web-1/setup"]` + fields}
	}
	step := func(old, now string, want []string, ran ...string) {
		t.Helper()
		src = s.told(src, append([]string{old, now}, want...))
		runs(ran...)
	}
	s.apply(src)
	runs("web-0: echo hi", "web-1: echo hi")
	step(`{"a": "b"}`, `{"a": "c"}`, both("update", ` tags["a"]`))
	step(`"timestamp": 1`, `"timestamp": 2`, both("update", ` settings["timestamp"]`), "web-0: echo hi", "web-1: echo hi")
	step(`"deep": {"a": [1, 2.5, None]}`, `"fine": True`, both("update", ` settings["fine"] settings["deep"]`), "web-0: echo hi", "web-1: echo hi")
	step(`, tags = `, `, auto_upgrade_minor_version = False, version = "2.0", tags = `, both("update", " version auto_upgrade_minor_version"), "web-0: echo hi", "web-1: echo hi")
	step(`, tags = `, `, lifecycle = lifecycle(replace_on = ["1"]), tags = `, both("update", ""))
	step(`["1"]`, `["2"]`, both("update", ""), "web-0: echo hi", "web-1: echo hi")
	step(`"setup"`, `"prepare"`, []string{`create vm_extension["web-0/prepare"]`, `create vm_extension["web-1/prepare"]`, `delete vm_extension["web-0/setup"]`, `delete vm_extension["web-1/setup"]`}, "web-0: echo hi", "web-1: echo hi")
	access := `"prepare", publisher = "Microsoft.OSTCExtensions", type = "VMAccessForLinux", version = "1.5"`
	src = strings.Replace(src, `version = "2.0", `, "", 1)
	step(`"prepare"`, access, []string{`replace vm_extension["web-0/prepare"] publisher type version`, `replace vm_extension["web-1/prepare"] publisher type version`})
	step(access, `"prepare"`, []string{`replace vm_extension["web-0/prepare"] publisher type version`, `replace vm_extension["web-1/prepare"] publisher type version`}, "web-0: echo hi", "web-1: echo hi")

	// A machine that is made anew has its extensions again.
	step(`provider = az`, `provider = az, custom_data = "#!/bin/true"`, []string{`replace vm.web-0 custom_data`, `replace vm.web-1 custom_data`, `replace vm_extension["web-0/prepare"]`, `replace vm_extension["web-1/prepare"]`}, "web-0: echo hi", "web-1: echo hi")

	// What somebody else changes or takes away is put back.
	const path = "/providers/Microsoft.Compute/virtualMachines/web-0/extensions/prepare"
	s.byHand("PATCH", path, computeAPI, map[string]any{"properties": map[string]any{"settings": map[string]any{"commandToExecute": "echo you", "timestamp": 2, "fine": true}}})
	s.byHand("DELETE", strings.Replace(path, "web-0", "web-1", 1), computeAPI, nil)
	runs("web-0: echo you")
	s.wants(src, `create vm_extension["web-1/prepare"]`, `update vm_extension["web-0/prepare"] settings["commandToExecute"]`)
	s.apply(src)
	runs("web-0: echo hi", "web-1: echo hi")

	// Azure takes none from a machine that is off; with the machine it goes.
	off := strings.Replace(src, "provider = az", "provider = az, running = False", 1)
	s.apply(off)
	s.try(off[:strings.Index(off, "[vm_extension")], false)
	if got := s.failures(); !strings.Contains(got, "when the VM is not running") {
		t.Errorf("an extension of a machine that is off: %s", got)
	}
	s.destroy(off)
}

// One that fails is a step that fails with what it says, and is tried again.
func TestExtensionThatFails(t *testing.T) {
	at := &shells{}
	s := newStory(t, func(o *emulator.Options) { o.Machines = at })
	src := head + `vm_extension(vm("web", provider = az), "setup", settings = {"commandToExecute": "false"})`
	s.try(src, false)
	const want = "command terminated with exit status=3\n[stdout]\nbegan\n\n[stderr]\nno such disk"
	if got := s.failures(); !strings.Contains(got, want) {
		t.Errorf("it fails with %q, want %q", got, want)
	}
	s.wants(src, `update vm_extension["web/setup"]`)
	s.try(src, false)
	if got := s.failures(); !strings.Contains(got, want) {
		t.Errorf("tried again it fails with %q", got)
	}
	if got := at.takes(); len(got) != 2 {
		t.Errorf("it was tried %d times, want 2", len(got))
	}
	s.try(strings.Replace(src, `settings = {"commandToExecute": "false"}`, `protected_settings = {"commandToExecute": "false hunter22", "password": "hunter22"}`, 1), false)
	if got := s.failures(); !strings.Contains(got, "no such disk") || strings.Contains(got, "hunter") {
		t.Errorf("a protected setting is shown: %q", got)
	}
	s.apply(strings.Replace(src, `"false"`, `"true"`, 1))
	s.destroy(src)
}

// A protected setting is compared, and never told.
func TestProtectedSettings(t *testing.T) {
	at := &shells{}
	s := newStory(t, func(o *emulator.Options) { o.Machines = at })
	src := head + `vm_extension(vm("web", provider = az), "setup", protected_settings = {"commandToExecute": "login hunter22", "more": 1})`
	s.apply(src)
	src = s.told(src,
		[]string{"hunter22", "hunter23", `update vm_extension["web/setup"] protected_settings["commandToExecute"]`},
		[]string{`, "more": 1`, "", `update vm_extension["web/setup"] protected_settings["more"]`},
	)
	if got := at.takes(); !slices.Equal(got, []string{"web: login hunter22", "web: login hunter23", "web: login hunter23"}) {
		t.Errorf("there ran %q", got)
	}
	changed, scopes, err := s.build(strings.Replace(src, "hunter23", "hunter24", 1), false)
	s.must(err)
	var shown strings.Builder
	for _, sc := range scopes {
		for _, o := range sc.State.Obs.Objects {
			fmt.Fprintln(&shown, o.Args, o.Mark, o.Out)
		}
	}
	for _, c := range changed.Changes {
		for _, f := range c.Fields {
			if !f.Secret {
				t.Errorf("%s: %s would be shown", c.Address, f.Path)
			}
		}
	}
	if strings.Contains(shown.String(), "hunter") || strings.Contains(fmt.Sprint(s.byHand("GET", "/resources", "2021-04-01", nil)), "hunter") {
		t.Error("a protected setting can be read")
	}
	s.destroy(src)
}

// failures are what went wrong in the last apply.
func (s *story) failures() string {
	var out []string
	for _, r := range s.last.Steps {
		if r.Err != nil {
			out = append(out, r.Err.Error())
		}
	}
	return strings.Join(out, "; ")
}
