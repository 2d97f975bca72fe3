package azure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Config says which resource group a scope is. It can be compared.
type Config struct {
	Location      string // as Azure writes it: "westeurope"
	ResourceGroup string // "": named after the project
	Subscription  string // "": the environment's, or the only one
	Tenant        string
	Environment   string // "": AzurePublicCloud
	// OpenPorts are what the security group lets in from everywhere that is made
	// for machines which name none, and SSHFrom whence it lets SSH in.
	OpenPorts string // ports, as in "80/tcp 443/tcp"
	SSHFrom   string // "": everywhere
	// Tags are put on all that is made here: a JSON object, "" where there are none.
	Tags string
}

// WithTags returns the configuration with tags for all that is made.
func (c Config) WithTags(tags map[string]string) Config {
	c.Tags = ""
	if len(tags) > 0 {
		data, _ := json.Marshal(tags) // texts can be written; the keys are in order
		c.Tags = string(data)
	}
	return c
}

// DefaultTags are the tags of all that is made.
func (c Config) DefaultTags() map[string]string {
	tags := map[string]string{}
	if c.Tags != "" {
		_ = json.Unmarshal([]byte(c.Tags), &tags) // as WithTags wrote it
	}
	return tags
}

var (
	groupName    = pattern.Of(`^[-\w._()]{1,89}[-\w_()]$|^[-\w_()]$`)
	locationName = pattern.Of(`^[a-z][a-z0-9]+$`)
	subscription = pattern.Of(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	openPort     = pattern.Of(`^([0-9]{1,5})(-[0-9]{1,5})?(?:/(tcp|udp))?$`)
)

// Normal brings what a person writes to the form that Azure writes: "West Europe"
// is westeurope.
func (c Config) Normal() Config {
	c.Location = strings.ToLower(strings.ReplaceAll(c.Location, " ", ""))
	c.Subscription = strings.ToLower(c.Subscription)
	c.Environment = cloudName(c.Environment)
	var ports []string
	for _, p := range strings.Fields(c.OpenPorts) {
		if m := openPort().FindStringSubmatch(p); m != nil && m[3] == "" {
			p += "/tcp"
		}
		ports = append(ports, p)
	}
	c.OpenPorts = strings.Join(ports, " ")
	return c
}

// Check finds what is wrong with the arguments of azure().
func (c Config) Check() schema.Problems {
	var ps schema.Problems
	add := func(path, format string, a ...any) *schema.Problem {
		ps = append(ps, &schema.Problem{Path: path, Msg: fmt.Sprintf(format, a...)})
		return ps[len(ps)-1]
	}
	switch {
	case c.Location == "":
		add("location", "is empty").Hint = `such as location = "westeurope"`
	case !locationName().MatchString(c.Location):
		add("location", "got %q, want a region as Azure names it, such as \"westeurope\"", c.Location)
	}
	if c.ResourceGroup != "" && !groupName().MatchString(c.ResourceGroup) {
		add("resource_group", "got %q, want letters, digits, -, _, ., ( and ), 90 at most, and no . at its end", c.ResourceGroup)
	}
	if c.Subscription != "" && !subscription().MatchString(c.Subscription) {
		add("subscription", "got %q, want its ID, as 00000000-0000-0000-0000-000000000000", c.Subscription)
	}
	if _, ok := clouds[c.Environment]; !ok && c.Environment != "" {
		add("environment", "got %q, want one of %s", c.Environment, strings.Join(cloudNames, ", ")).Hint = diag.DidYouMean(c.Environment, cloudNames)
	}
	if msg := wrongAddress(c.SSHFrom); c.SSHFrom != "" && msg != "" {
		add("ssh_from", "%s", msg)
	}
	for _, p := range strings.Fields(c.OpenPorts) {
		if !validPort(p) {
			add("open_ports", "got %q, want a port, or a range of them, as in \"80\", \"8000-8010/tcp\", \"53/udp\"", p)
		}
	}
	return append(ps, checkTags(tagsValue(c.DefaultTags()))...)
}

// tagsValue are tags as an argument.
func tagsValue(tags map[string]string) *value.Map {
	var entries []value.Entry
	for _, name := range sorted(tags) {
		entries = append(entries, value.Entry{Key: name, Value: tags[name]})
	}
	return value.NewMap(entries)
}

// AddTags returns arguments of a kind in Azure with those tags of all that is made
// which they do not say themselves.
func (c Config) AddTags(kind *resource.Kind, args value.Struct) value.Struct {
	f, has := kind.Schema.Field("tags")
	if !has || c.Tags == "" {
		return args
	}
	own, ok := args[f.Index].(*value.Map)
	if !ok && args[f.Index] != nil {
		return args
	}
	entries := slices.Clone(tagsValue(c.DefaultTags()).Entries)
	entries = slices.DeleteFunc(entries, func(e value.Entry) bool { return f.HasKey(own, e.Key) })
	if own != nil {
		entries = append(entries, own.Entries...)
	}
	args = slices.Clone(args)
	args[f.Index] = value.NewMap(entries)
	return args
}

func validPort(p string) bool {
	m := openPort().FindStringSubmatch(p)
	if m == nil {
		return false
	}
	from, _ := strconv.Atoi(m[1])
	to := from
	if m[2] != "" {
		to, _ = strconv.Atoi(m[2][1:])
	}
	return 1 <= from && from <= to && to <= 65535
}

// Group is the name of the resource group of a project.
func (c Config) Group(project string) string {
	if c.ResourceGroup != "" {
		return c.ResourceGroup
	}
	return NameOf(project)
}

// NameOf makes a name that Azure takes of a project's: its environment is set off
// by a hyphen.
func NameOf(project string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, project)
	return strings.Trim(name, "-")
}

// Endpoint is the configuration as the inventory keeps it. It holds no credentials.
func (c Config) Endpoint() string {
	q := url.Values{}
	for name, v := range c.fields() {
		if *v != "" {
			q.Set(name, *v)
		}
	}
	return q.Encode()
}

// ParseEndpoint reads what [Config.Endpoint] wrote.
func ParseEndpoint(s string) Config {
	var c Config
	q, err := url.ParseQuery(s)
	if err != nil {
		return c
	}
	for name, v := range c.fields() {
		*v = q.Get(name)
	}
	return c
}

func (c *Config) fields() map[string]*string {
	return map[string]*string{
		"location": &c.Location, "resource_group": &c.ResourceGroup, "subscription": &c.Subscription, "tenant": &c.Tenant,
		"environment": &c.Environment, "open_ports": &c.OpenPorts, "ssh_from": &c.SSHFrom,
	}
}

// Scope is the address of the scope.
func (c Config) Scope() string { return "azure." + cmp.Or(c.ResourceGroup, "default") }

// groupAddress is the address of the resource group of a scope, which is declared
// where the script does not do it.
func groupAddress(scope, name string) value.Address {
	return value.NewAddress(scope, GroupKind.Name, name)
}

// elsewhere says of what is declared here that it is in another region: nothing moves
// from one to another, and machines need their network in their own.
func (c *Conn) elsewhere(q resource.Query, obs *resource.Observation) diag.List {
	regions := map[value.Address]string{}
	for _, o := range obs.Objects {
		if n, ok := o.Native.(*native); ok && o.Mark.Project == q.Project {
			regions[o.Mark.Address] = n.region()
		}
	}
	for _, d := range q.Declared {
		if at := regions[d.Address]; at != "" && at != c.cfg.Location && !d.External {
			return diag.List{{
				Pos:     d.Pos,
				Summary: fmt.Sprintf("%s is in %s, and azure() says %s: what is in Azure cannot move to another region", d.Address.Short(), at, c.cfg.Location),
				Hint:    fmt.Sprintf("location = %q goes on with it; an azure() with another resource_group makes it anew elsewhere", at),
			}}
		}
	}
	return nil
}

// region is where a network or a machine is, "" of all else.
func (n *native) region() string {
	switch live := n.arm.(type) {
	case *armnetwork.VirtualNetwork:
		return plainLocation(text(live.Location))
	case *machine:
		return plainLocation(text(live.vm.Location))
	}
	return ""
}
