package azure

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestImages(t *testing.T) {
	for in, want := range map[string]string{
		"debian-12":                      "Debian:debian-12:12-gen2:latest",
		"Canonical:ubuntu-24_04-lts:sku": "Canonical:ubuntu-24_04-lts:sku:latest",
		"Debian:debian-12:12:0.2025.1":   "Debian:debian-12:12:0.2025.1",
		"debian-14":                      "",
		"a:b":                            "",
		"a:b:c:d:e":                      "",
		"a::c":                           "",
		"/subscriptions/1/nonsense":      "",
		"/subscriptions/1/resourceGroups/r/providers/Microsoft.Compute/images/own": "/subscriptions/1/resourceGroups/r/providers/Microsoft.Compute/images/own",
	} {
		got, err := Image(in).Normal()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
	if _, err := Image("debian-14").Normal(); !strings.Contains(err.Error(), "debian-13") {
		t.Errorf("the error names none that there is: %v", err)
	}
	for _, c := range []struct {
		live, declared string
		same           bool
	}{
		{"debian:Debian-12:12:0.1", "Debian:debian-12:12:latest", true}, // made from an older one: it stays what it is
		{"Debian:debian-12:12:0.1", "Debian:debian-12:12:0.2", false},
		{"Debian:debian-12:12:0.1", "Debian:debian-13:13:latest", false},
		{"/a/B", "/A/b", true},
		{"/a/b", "Debian:debian-12:12:latest", false},
	} {
		if got := sameImage(c.live, c.declared); got != c.same {
			t.Errorf("%s is %s: %v", c.live, c.declared, got)
		}
	}
	if !newer("0.20251002.2245", "0.20250902.9999") || !newer("12.10.1", "12.9.30") || newer("1.0", "1.0") || !newer("1.0.1", "1.0") {
		t.Error("versions are compared by their numbers")
	}
}

func TestChoose(t *testing.T) {
	gib := func(n int64) int64 { return n << 30 }
	list := []sku{
		{name: "Standard_B1s", cpus: 1, memory: gib(1), premium: true, zones: []string{"1"}},
		{name: "Standard_B1ls", cpus: 1, memory: gib(1) / 2, premium: true},
		{name: "Standard_B2ts_v2", cpus: 2, memory: gib(1), premium: true},
		{name: "Standard_B2s", cpus: 2, memory: gib(4), premium: true, zones: []string{"1", "2"}},
		{name: "Standard_F2s_v2", cpus: 2, memory: gib(4), premium: true, zones: []string{"1", "2", "3"}},
		{name: "Standard_B2ps_v2", cpus: 2, memory: gib(4), premium: true, arm64: true},
		{name: "Standard_D2s_v4", cpus: 2, memory: gib(8), premium: true},
		{name: "Standard_D2s_v5", cpus: 2, memory: gib(8), premium: true},
		{name: "Standard_D2s_v6", cpus: 2, memory: gib(8), premium: true, refused: "NotAvailableForSubscription"},
		{name: "Standard_NC4", cpus: 4, memory: gib(8), premium: true, confined: true},
		{name: "Standard_A4_v2", cpus: 4, memory: gib(8)},
		{name: "Standard_D4s_v5", cpus: 4, memory: gib(16), premium: true},
	}
	for _, c := range []struct {
		want want
		name string
	}{
		{want{cpus: 1}, "Standard_B1s"},
		{want{cpus: 2}, "Standard_B2s"},
		{want{memory: gib(2)}, "Standard_B2s"},
		{want{memory: gib(1) / 2}, "Standard_B1ls"}, // who says so has it
		{want{}, "Standard_B1s"},
		{want{cpus: 2, zone: "3"}, "Standard_F2s_v2"},
		{want{cpus: 2, memory: gib(5)}, "Standard_D2s_v5"},
		{want{cpus: 3}, "Standard_D4s_v5"},
		{want{cpus: 5}, ""},
		{want{cpus: 4, zone: "1"}, ""},
	} {
		got, ok := choose(list, c.want)
		if got.name != c.name || ok != (c.name != "") {
			t.Errorf("%+v: %q, want %q", c.want, got.name, c.name)
		}
		if ok && !c.want.fits(got) {
			t.Errorf("%+v: %s does not fit", c.want, got.name)
		}
	}
}

func TestZonesAreSpread(t *testing.T) {
	three := []string{"1", "2", "3"}
	got := spreadZones([]placed{
		{name: "mgr-0", zones: three}, {name: "mgr-1", zones: three}, {name: "mgr-2", zones: three},
		{name: "wrk-0", zone: "1", settled: true, zones: three}, {name: "wrk-1", zones: three}, {name: "wrk-2", zones: three}, {name: "wrk-3", zones: three},
		{name: "old-1", settled: true, zones: three}, // it is in none, and stays so
		{name: "gpu-1", zones: []string{"2"}}, {name: "gpu-2", zones: []string{"2"}}, {name: "none"},
	})
	want := map[string]string{"mgr-0": "1", "mgr-1": "2", "mgr-2": "3", "wrk-1": "2", "wrk-2": "3", "wrk-3": "1", "gpu-1": "2", "gpu-2": "2"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A machine gets a host key whose public half is told, and what the script says
// beside it.
func TestCustomData(t *testing.T) {
	key, err := newHostKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"", "#!/bin/sh\necho hello >/etc/motd\n", "#cloud-config\npackages: [curl]\n"} {
		data, err := customData(key, own)
		if err != nil {
			t.Fatal(err)
		}
		parts := map[string]string{"host-key.cfg": string(data)}
		if own != "" {
			parts = readMIME(t, string(data))
			if parts["custom-data"] != own {
				t.Errorf("the script's part is %q", parts["custom-data"])
			}
		}
		text, ok := strings.CutPrefix(parts["host-key.cfg"], "#cloud-config\n")
		var doc struct {
			Keys map[string]string `json:"ssh_keys"`
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil || !ok {
			t.Fatalf("%v: %s", err, text)
		}
		signer, err := ssh.ParsePrivateKey([]byte(doc.Keys["ed25519_private"]))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))); !strings.HasPrefix(key.public, got) {
			t.Errorf("the private half is of %s, the public half %s", got, key.public)
		}
	}
	if len(key.public) > maxTagValue {
		t.Errorf("%d characters do not go into a tag", len(key.public))
	}
	if _, err := customData(key, strings.Repeat("x", maxCustomData)); err == nil {
		t.Error("too much is taken")
	}
	hash := hashData("secret", "")
	if !isHashOf(hash, "secret") || isHashOf(hash, "other") || isHashOf("", "secret") || hash == hashData("secret", "") {
		t.Errorf("the hash %q", hash)
	}
}

func readMIME(t *testing.T, data string) map[string]string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		out[p.FileName()] = string(body)
	}
}

// What is packed into tags is unpacked as it was, and fits into them.
func TestTags(t *testing.T) {
	long := strings.Repeat("0123456789", 70)
	labels := map[string]string{"swarmscript.project": "shop", "swarmscript.keys": long, "tier": "web", "swarmscript.address": "vm.x", "v.2": "kept"}
	tags := pack(labels)
	for name, v := range tags {
		if len(*v) > maxTagValue {
			t.Errorf("%s has %d characters", name, len(*v))
		}
	}
	if got := unpack(tags); !reflect.DeepEqual(got, labels) {
		t.Errorf("got %v", got)
	}
}

// Rules come back from Azure as they were written, however it spells them.
func TestRulesRoundTrip(t *testing.T) {
	rules := append(SwarmRules("203.0.113.0/24", []string{"80/tcp", "8000-8010/udp"}, []string{"80/tcp", "443/tcp"}), SecurityRule{
		Name: "all", Priority: 200, Direction: "Outbound", Access: "Deny", Protocol: "Udp", Description: "why",
		Ports: []string{"1", "2"}, Sources: []string{"10.0.0.0/8", "11.0.0.0/8"}, SourcePorts: []string{"3"}, Destinations: []string{"Internet"},
	})
	for _, r := range rules {
		arm := r.arm()
		*arm.Properties.Protocol = armnetwork.SecurityRuleProtocol(strings.ToUpper(string(*arm.Properties.Protocol)))
		if got := readRule(arm); !reflect.DeepEqual(got, r) {
			t.Errorf("got %+v, want %+v", got, r)
		}
	}
	open := 0
	for _, r := range rules {
		if r.Access == "Allow" && r.Direction == "Inbound" && r.Sources == nil {
			open++
		}
	}
	if open != 3 {
		t.Errorf("%d rules are open to everybody, want the two that the script opens, and what else is balanced", open)
	}
}

func TestConfig(t *testing.T) {
	c := Config{Location: "West Europe", OpenPorts: "80 53/udp"}.Normal()
	if c.Location != "westeurope" || c.OpenPorts != "80/tcp 53/udp" || c.Check() != nil {
		t.Errorf("%+v: %v", c, c.Check())
	}
	if got := ParseEndpoint(c.Endpoint()); got != c {
		t.Errorf("the inventory gives back %+v", got)
	}
	for want, bad := range map[string]Config{
		"location": {}, "resource_group": {Location: "a1", ResourceGroup: "bad."}, "subscription": {Location: "a1", Subscription: "mine"},
		"environment": {Location: "a1", Environment: "AzurePublicCluod"}, "ssh_from": {Location: "a1", SSHFrom: "me"}, "open_ports": {Location: "a1", OpenPorts: "0"},
	} {
		if ps := bad.Check(); len(ps) != 1 || ps[0].Path != want {
			t.Errorf("%+v: %v", bad, ps)
		}
	}
	for called, want := range map[string]string{"public": "AzurePublicCloud", "AzureCloud": "AzurePublicCloud", "usgovernment": "AzureUSGovernmentCloud", "azureChinaCloud": "AzureChinaCloud", "mars": "mars"} {
		if got := (Config{Environment: called}).Normal().Environment; got != want {
			t.Errorf("%s is %s, want %s", called, got, want)
		}
	}
	t.Setenv("ARM_ENVIRONMENT", "usgovernment")
	if conf, err := cloudOf(Config{}); err != nil || conf.ActiveDirectoryAuthorityHost != cloud.AzureGovernment.ActiveDirectoryAuthorityHost {
		t.Errorf("ARM_ENVIRONMENT is not taken: %v, %v", conf, err)
	}
	if conf, _ := cloudOf(Config{Environment: "china"}); conf.ActiveDirectoryAuthorityHost != cloud.AzureChina.ActiveDirectoryAuthorityHost {
		t.Errorf("what the script says does not come first: %v", conf)
	}
	t.Setenv("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com")
	if _, err := cloudOf(Config{}); err == nil || !strings.Contains(err.Error(), "where AzurePublicCloud logs in, and the environment is AzureUSGovernmentCloud") {
		t.Errorf("an authority of another cloud: %v", err)
	}
	t.Setenv("ARM_ENVIRONMENT", "")
	t.Setenv("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/")
	if conf, err := cloudOf(Config{}); err != nil || conf.Services[cloud.ResourceManager] != cloud.AzureGovernment.Services[cloud.ResourceManager] {
		t.Errorf("an authority does not say the cloud: %v, %v", conf, err)
	}
	t.Setenv("AZURE_AUTHORITY_HOST", "https://login.example.com/")
	if conf, err := cloudOf(Config{}); err != nil || conf.ActiveDirectoryAuthorityHost != "https://login.example.com/" {
		t.Errorf("an authority of one's own: %v, %v", conf, err)
	}
	t.Setenv("AZURE_AUTHORITY_HOST", "")
	t.Setenv("AZURE_ENVIRONMENT", "mars")
	if _, err := cloudOf(Config{}); err == nil || !strings.Contains(err.Error(), "AzureUSGovernmentCloud") {
		t.Errorf("an unknown cloud: %v", err)
	}
	if got := (Config{}).Group("shop/staging"); got != "shop-staging" {
		t.Errorf("the group is %s", got)
	}
}

func TestDefaultSubscription(t *testing.T) {
	profile := "\xef\xbb\xbf" + `{"subscriptions":[{"id":"a","isDefault":false},{"id":"b","isDefault":true}]}`
	if got := defaultSubscription([]byte(profile)); got != "b" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "{", `{"subscriptions":[]}`, "[]"} {
		if got := defaultSubscription([]byte(bad)); got != "" {
			t.Errorf("%q: got %q", bad, got)
		}
	}
}

func TestFailuresSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		status        int
		body          string
		kind          error
		want, advised string
	}{
		{403, `{"error":{"code":"AuthorizationFailed","message":"The client 'x' does not have authorization to perform action 'Microsoft.Compute/virtualMachines/write' over scope '/s'."}}`,
			resource.ErrRefused, "AuthorizationFailed", "Microsoft.Compute/virtualMachines/write"},
		{409, `{"error":{"code":"OperationNotAllowed","message":"Operation could not be completed as it results in exceeding approved Total Regional Cores quota."}}`, nil, "Cores quota", "az quota"},
		{404, `{"error":{"code":"ResourceGroupNotFound","message":"no group"}}`, resource.ErrMissing, "ResourceGroupNotFound: no group", ""},
		{400, `{"error":{"code":"DeploymentFailed","message":"outer","details":[{"code":"InvalidParameter","message":"inner"}]}}`, nil, "InvalidParameter: inner", ""},
		{412, `{"code":"PreconditionFailed","message":"etag"}`, resource.ErrConflict, "PreconditionFailed: etag", ""},
		{503, `not json`, resource.ErrTransient, "", ""},
	} {
		code, message := readFailure([]byte(c.body))
		advice, kind := judge(c.status, code, message)
		got := (&Failure{Status: c.status, Code: code, Message: message, Advice: advice, kind: kind}).Error()
		if !errors.Is(kind, c.kind) || !strings.Contains(got, c.want) || !strings.Contains(advice, c.advised) {
			t.Errorf("%s: %v, %q", c.body, kind, got)
		}
	}
}

// A machine is not switched off for a size that a quota forbids everywhere.
func TestSizeThatIsElsewhere(t *testing.T) {
	for _, c := range []struct {
		code, message string
		want          bool
	}{
		{"OperationNotAllowed", "Unable to resize the VM 'web' because the requested size is not available in the current hardware cluster.", true},
		{"OperationNotAllowed", "Operation could not be completed as it results in exceeding approved Total Regional Cores quota.", false},
		{"AllocationFailed", "Allocation failed.", true},
		{"Conflict", "no", false},
	} {
		if got := isElsewhere(&Failure{Status: 409, Code: c.code, Message: c.message}); got != c.want {
			t.Errorf("%s: %s: %t", c.code, c.message, got)
		}
	}
}

// A plan is held against what the region has, before anything is written.
func TestForecast(t *testing.T) {
	f := &foresight{
		location: "westeurope",
		sizes: []sku{
			{name: "Standard_B2s", family: "bs", cpus: 2, memory: 4 << 30, premium: true, zones: []string{"1", "2"}},
			{name: "Standard_D4s_v5", family: "ds", cpus: 4, memory: 16 << 30, premium: true, refused: "NotAvailableForSubscription"},
		},
		usages: map[string]usage{"cores": {"Total Regional vCPUs", 6, 10}, "bs": {"BS Family vCPUs", 6, 9}, "lowprioritycores": {"Spot vCPUs", 0, 100}},
		images: map[string]error{"a:b:c:latest": errors.New("there is no image a:b:c")},
	}
	vm := func(spec *VMSpec) resource.Prospect {
		spec.Name = "m"
		return resource.Prospect{Address: "vm.m", Title: "vm.m", Kind: "vm", Changes: true, Args: vmSchema.Encode(spec), Schema: vmSchema}
	}
	b2s := func() *VMSpec { return &VMSpec{Size: ptr("Standard_B2s"), Image: "x:y:z:1"} }
	for _, c := range []struct {
		name string
		list []resource.Prospect
		want []string
	}{
		{"it fits", []resource.Prospect{vm(b2s())}, nil},
		{"an unknown size", []resource.Prospect{vm(&VMSpec{Size: ptr("Standard_B2")})}, []string{`did you mean "Standard_B2s"`}},
		{"one that we may not have", []resource.Prospect{vm(&VMSpec{Size: ptr("Standard_D4s_v5")})}, []string{"NotAvailableForSubscription"}},
		{"a zone without it", []resource.Prospect{vm(&VMSpec{Size: ptr("Standard_B2s"), Zone: ptr("3")})}, []string{"the zones that have it: 1, 2"}},
		{"more than there is", []resource.Prospect{vm(&VMSpec{CPUs: ptr(64)})}, []string{"no size of westeurope has 64 CPUs"}},
		{"no such image", []resource.Prospect{vm(&VMSpec{Size: ptr("Standard_B2s"), Image: "a:b:c:latest"})}, []string{"there is no image"}},
		{"a family's quota", []resource.Prospect{vm(b2s()), vm(b2s())}, []string{"BS Family vCPUs in westeurope"}},
		{"both quotas", []resource.Prospect{vm(b2s()), vm(b2s()), vm(b2s())}, []string{"BS Family vCPUs", "Total Regional vCPUs"}},
		{"spot has its own", []resource.Prospect{vm(&VMSpec{Size: ptr("Standard_B2s"), Spot: true}), vm(b2s())}, nil},
		{"what stays", []resource.Prospect{{Kind: "vm", Args: vmSchema.Encode(&VMSpec{Size: ptr("gone")}), Schema: vmSchema}}, nil},
	} {
		var got []string
		for _, finding := range f.Forecast(c.list, nil) {
			got = append(got, finding.Summary+" "+finding.Hint)
		}
		ok := len(got) == len(c.want)
		for i := range c.want {
			ok = ok && strings.Contains(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCheckVM(t *testing.T) {
	for want, spec := range map[string]*VMSpec{
		"":             {Name: "web-1", User: "azureuser"},
		"name":         {Name: "Web_1"},
		"user":         {Name: "web", User: "root"},
		"cpus":         {Name: "web", Size: ptr("Standard_B2s"), CPUs: ptr(2)},
		"subnet":       {Name: "web", Interface: ptr("nic"), Subnet: ptr("x")},
		"os_disk_size": {Name: "web", DiskSize: ptr(schema.Size(1 << 29))},
		"tags":         {Name: "web", Tags: map[string]string{"swarmscript.x": "y"}},
		"custom_data":  {Name: "web", CustomData: ptr(strings.Repeat("x", maxCustomData))},
	} {
		if spec.User == "" {
			spec.User = "me"
		}
		ps := checkVM(vmSchema.Encode(spec))
		if want == "" && ps != nil || want != "" && (len(ps) != 1 || ps[0].Path != want) {
			t.Errorf("%q: %v", want, ps)
		}
	}
	args := make(value.Struct, len(vmSchema.Fields()))
	completeVM(args)
	if size, _ := vmSchema.Field("size"); args[size.Index] != defaultSize {
		t.Errorf("the size is %v", args[size.Index])
	}
}

// Why a machine is tried again, the plan's reason says: its effect does not repeat it.
func TestTriedAgain(t *testing.T) {
	o := &resource.Object{Unsettled: "its last operation has failed", Stuck: true}
	if got := vmEffect(o, nil, nil, true); got != "tried again" {
		t.Errorf("its effect is %q", got)
	}
}

// Machines that are made at the same time share one key that is made for them.
func TestOwnKeyIsMadeOnce(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("AppData", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	lines := make([]string, 16)
	var wg sync.WaitGroup
	for i := range lines {
		wg.Go(func() {
			keys, err := loginKeys()
			if err != nil || len(keys) != 1 {
				t.Errorf("%v, %v", keys, err)
				return
			}
			lines[i] = keys[0]
		})
	}
	wg.Wait()
	for _, l := range lines {
		if l != lines[0] {
			t.Errorf("two keys: %s, %s", l, lines[0])
		}
	}
	if file := ownKeyOf(lines[:1]); file == "" {
		t.Error("it is not known again")
	}
	if ownKeyOf([]string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb8zqEt0rRbzr9ty8gQyqBDJ8ncL2zz4jUvRUv6VYpM me"}) != "" {
		t.Error("a machine that does not take it is reached with it")
	}
}

// Sets of texts that differ in letter case alone are one, and no others.
func TestSameWords(t *testing.T) {
	list := func(words ...string) (out value.List) {
		for _, w := range words {
			out = append(out, w)
		}
		return out
	}
	for _, c := range []struct {
		a, b value.Value
		same bool
	}{
		{list("/a/B", "Internet"), list("internet", "/A/b"), true},
		{list("Internet", "internet"), list("Internet", "VirtualNetwork"), false},
		{list("Internet"), value.List{int64(1)}, false},
		{list("Internet"), nil, false},
	} {
		if got := sameWords(c.a, c.b); got != c.same {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
	}
}
