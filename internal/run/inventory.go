package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// The inventory lists the scopes that a project uses. Each swarm's ledger
// holds it, and a hint beside the script holds a copy, so that a scope which
// the script no longer names is still found and pruned.

// remember adds what an inventory lists.
func (v *view) remember(entries []resource.ScopeEntry) {
	for _, e := range entries {
		if slices.Contains(v.forgets, e.Address) {
			v.letGo[e.Address] = true
			continue
		}
		if slices.Contains(v.forgets, e.Endpoint) && e.Type != "swarm" { // an engine goes with its machine; a swarm may be on others
			continue
		}
		if _, known := v.entries[e.Address]; !known || e.ID != "" {
			v.entries[e.Address] = e
		}
	}
}

// checkForgets finds what is to be forgotten and cannot be: what the script
// names, and what no inventory has.
func (v *view) checkForgets() error {
	var known []string
	for _, addr := range slices.Sorted(maps.Keys(v.entries)) {
		if !v.named(addr) {
			known = append(known, addr)
		}
	}
	var out diag.List
	for _, addr := range v.forgets {
		p := &diag.Diagnostic{Summary: fmt.Sprintf("--forget %s: the project's inventory has no such scope", addr)}
		switch {
		case v.named(addr):
			p.Summary = fmt.Sprintf("--forget %s: the script names it", addr)
			p.Hint = "take it out of the script first"
		case v.letGo[addr]:
			continue
		case len(known) == 0:
			p.Detail = "there is nothing to forget: all that the inventory has, the script names"
		default:
			p.Detail = "what can be forgotten is what only the inventory has: " + strings.Join(known, ", ")
			p.Hint = diag.DidYouMean(addr, known)
		}
		out = append(out, p)
	}
	return out.Err()
}

// named reports whether the script names a scope.
func (v *view) named(addr string) bool {
	return slices.ContainsFunc(v.program.Scopes, func(s *resource.Scope) bool { return s.Address == addr })
}

// forgotten returns scopes that the inventory knows and the program does not.
func (v *view) forgotten(seen map[string]bool) []*resource.Scope {
	var out []*resource.Scope
	known := v.declaredIDs()
	for _, addr := range slices.Sorted(maps.Keys(v.entries)) {
		e := v.entries[addr]
		if seen[addr] || known[e.ID] {
			continue // a swarm is its ID: under a new address it is not another one
		}
		s := &resource.Scope{Address: addr, Type: e.Type, Parent: v.parentOf(e)}
		if s.Parent == "" {
			s.Config = parseEndpoint(e)
		}
		out = append(out, s)
	}
	return out
}

// forget warns of a scope that only the inventory knows. If it is a place that
// the script has under another name, it is left out instead: what is in it
// must not be taken for something that is no longer declared. While that cannot
// be told it counts as unreachable.
func (v *view) forget(s *resource.Scope) diag.List {
	e := v.entries[s.Address]
	if e.Type != "swarm" && s.Config == nil {
		// What is on a machine goes, or stays, with it.
		if v.scopes[s.Parent] == nil {
			v.drop(s)
		}
		return nil
	}
	if down := v.engineDown(); down != "" && e.Type != "host" {
		v.put(s, v.scopes[s.Address].Conn, unreachable(s, fmt.Errorf("%s is in the project's inventory, not in the script, and may be the same as %s, which does not answer: %w", s.Address, down, resource.ErrUnreachable)))
		return nil
	}
	if st := v.scopes[s.Address].State; e.Type == "engine" && st.Obs != nil && e.ID != "" && st.Obs.Identity != e.ID {
		// What is in that one is not what the project left behind.
		v.put(s, v.scopes[s.Address].Conn, unreachable(s, fmt.Errorf("%s (%s) is in the project's inventory, not in the script, and another engine answers there now: %w", s.Address, place(e), resource.ErrUnreachable)))
	}
	if v.renamed(s) || s.Parent != "" && v.scopes[s.Parent] == nil {
		v.drop(s)
		return nil
	}
	if st := v.scopes[s.Address].State; st.Status == plan.Unreachable {
		return diag.List{{Severity: diag.Warning, Hint: "if it is gone for good: --forget " + s.Address,
			Summary: fmt.Sprintf("%s (%s) is in the project's inventory, but not in the script, and cannot be reached: what the project has there stays", s.Address, place(e))}}
	}
	return diag.List{{Severity: diag.Warning,
		Summary: fmt.Sprintf("%s (%s) is in the project's inventory, but not in the script: what the project has there is deleted", s.Address, place(e))}}
}

// drop leaves a scope out.
func (v *view) drop(s *resource.Scope) {
	if conn := v.scopes[s.Address].Conn; conn != nil {
		conn.Close()
	}
	delete(v.scopes, s.Address)
}

// parentOf returns the address of the scope that one of the inventory lies in, ""
// of an outermost one.
func (v *view) parentOf(e resource.ScopeEntry) string {
	if home := v.found[e.Address]; home != "" {
		return home
	}
	if _, nested := v.entries[e.Endpoint]; nested || e.Type == "swarm" {
		return e.Endpoint
	}
	return ""
}

// place says where a scope of the inventory is.
func place(e resource.ScopeEntry) string {
	switch {
	case e.Type == "lab":
		return "a lab"
	case e.Type == "local":
		return "this computer"
	case e.Type == "azure":
		return "Azure"
	case e.Endpoint != "":
		return e.Endpoint
	}
	return "the environment's engine"
}

// engineDown names an engine of the program that does not answer, "" where all
// do.
func (v *view) engineDown() string {
	for _, s := range v.program.Scopes {
		if s.Type == "engine" && s.Config != nil && v.scopes[s.Address].State.Status == plan.Unreachable {
			return s.Address
		}
	}
	return ""
}

// renamed reports whether a scope of the program is the same place.
func (v *view) renamed(s *resource.Scope) bool {
	obs := v.scopes[s.Address].State.Obs
	if obs == nil || obs.Identity == "" {
		return false
	}
	for _, other := range v.program.Scopes {
		if o := v.scopes[other.Address]; o != nil && o.State.Obs != nil && other.Address != s.Address && o.State.Obs.Identity == obs.Identity {
			return true
		}
	}
	return false
}

// declaredIDs are the IDs of the objects that open the program's scopes, as far
// as they have been looked at.
func (v *view) declaredIDs() map[string]bool {
	out := map[string]bool{}
	for _, s := range v.program.Scopes {
		parent := v.parent(s)
		if v.opener(s) == nil || parent == nil || parent.State.Obs == nil {
			continue
		}
		if o, _ := v.openerObject(s, parent); o != nil {
			out[o.ID] = true
		}
	}
	return out
}

// describeEndpoint says in the inventory where an outermost scope is; it holds no
// credentials.
func describeEndpoint(config any) string {
	switch e := config.(type) {
	case builtins.Engine:
		if e.Context != "" {
			return "context " + e.Context
		}
		return e.Host
	case builtins.Host:
		u := url.URL{Scheme: "ssh", Host: e.Address}
		if strings.Contains(e.Address, ":") {
			u.Host = "[" + e.Address + "]"
		}
		if e.Port != 0 {
			u.Host = net.JoinHostPort(e.Address, strconv.Itoa(e.Port))
		}
		if e.User != "" {
			u.User = url.User(e.User)
		}
		u.RawQuery = url.Values{"key": {e.Key}, "jump": {e.Jump}, "sudo": {e.Sudo}}.Encode()
		return u.String()
	case lab.Config:
		return e.Name
	case local.Config:
		return e.Site
	case azure.Config:
		return e.Endpoint()
	}
	return ""
}

func parseEndpoint(e resource.ScopeEntry) any {
	switch e.Type {
	case "lab":
		return lab.Config{Name: e.Endpoint}
	case "local":
		return local.Config{Site: e.Endpoint}
	case "azure":
		return azure.ParseEndpoint(e.Endpoint)
	case "host":
		return parseHost(e.Endpoint)
	}
	if name, ok := strings.CutPrefix(e.Endpoint, "context "); ok {
		return builtins.Engine{Context: name}
	}
	return builtins.Engine{Host: e.Endpoint}
}

func parseHost(s string) builtins.Host {
	u, err := url.Parse(s)
	if err != nil {
		return builtins.Host{Address: s} // which cannot be reached, and is shown
	}
	q := u.Query()
	h := builtins.Host{Address: u.Hostname(), User: u.User.Username(), Key: q.Get("key"), Jump: q.Get("jump"), Sudo: q.Get("sudo")}
	h.Port, _ = strconv.Atoi(u.Port())
	return h
}

// inventory lists the scopes as they are now. Those that the program does not
// name stay listed until they have been cleaned up.
func (v *view) inventory(clean bool) []resource.ScopeEntry {
	declared := map[string]bool{}
	for _, s := range v.program.Scopes {
		declared[s.Address] = true
	}
	var out []resource.ScopeEntry
	for _, addr := range slices.Sorted(maps.Keys(v.scopes)) {
		s := v.scopes[addr].State
		if !declared[addr] && clean && s.Status != plan.Unreachable {
			continue
		}
		e := resource.ScopeEntry{Address: addr, Type: s.Scope.Type}
		if s.Scope.Config != nil {
			e.Endpoint, e.ID = describeEndpoint(s.Scope.Config), v.entries[addr].ID
			if s.Obs != nil {
				e.ID = s.Obs.Identity
			}
		} else if d := v.opener(s.Scope); d != nil {
			e.Endpoint = v.homes(d)[0]
		} else {
			e.Endpoint = cmp.Or(v.found[addr], v.entries[addr].Endpoint)
		}
		if id := v.scopeID(addr); id != addr {
			e.ID = id
		}
		out = append(out, e)
	}
	return out
}

// saveLedgers writes the inventory to every swarm that is there, and the hint.
func (v *view) saveLedgers(ctx context.Context, clean bool) error {
	entries := v.inventory(clean)
	var errs []error
	for _, addr := range slices.Sorted(maps.Keys(v.scopes)) {
		s := v.scopes[addr]
		keeper, ok := s.Conn.(resource.Keeper)
		if !ok || s.State.Status != plan.Present {
			continue
		}
		// Under the lease nobody else writes: what was observed is what there is.
		if l := s.State.Obs.Ledger; l.HashKey != nil && slices.Equal(l.Scopes, entries) && slices.Equal(l.Unpassed, v.unpassed) {
			continue
		}
		l, err := keeper.SaveLedger(ctx, v.program.Project, func(l *resource.Ledger) { l.Scopes, l.Unpassed = entries, v.unpassed })
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", addr, err))
			continue
		}
		s.State.Obs.Ledger = l
	}
	v.hint(entries)
	return errors.Join(errs...)
}

// outdated reports whether an inventory that exists, or its copy, is not what
// it would be now.
func (v *view) outdated() bool {
	entries := v.inventory(false)
	kept := false
	for _, s := range v.scopes {
		if _, ok := s.Conn.(resource.Keeper); ok && s.State.Status == plan.Present && s.State.Obs.Ledger.HashKey != nil {
			kept = true
			if !slices.Equal(s.State.Obs.Ledger.Scopes, entries) {
				return true
			}
		}
	}
	return kept && !slices.Equal(readHint(v.state, v.program.Project), entries)
}

// hint writes the copy beside the script. It may fail, in a folder that cannot
// be written: it only helps to find what nothing else names.
func (v *view) hint(entries []resource.ScopeEntry) {
	if err := writeHint(v.state, v.program.Project, entries); err != nil {
		v.warnings = append(v.warnings, &diag.Diagnostic{Severity: diag.Warning,
			Summary: "the inventory's copy beside the script could not be written: " + err.Error()})
	}
}

// opened takes in a scope that has come to be during an apply, and begins its
// ledger.
func (v *view) opened(ctx context.Context, addr string, opener *resource.Object, s *apply.Scope) error {
	v.useLogins(s.Conn)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.scopes[addr], v.ids[addr] = s, opener.ID
	keeper, ok := s.Conn.(resource.Keeper)
	if !ok {
		return nil
	}
	entries := v.inventory(false)
	l, err := keeper.SaveLedger(ctx, v.program.Project, func(l *resource.Ledger) { l.Scopes, l.Unpassed = entries, v.unpassed })
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	s.State.Obs.Ledger = l
	v.hint(entries)
	return nil
}

// dropLedgers ends the project: nothing of it is left.
func (v *view) dropLedgers(ctx context.Context) error {
	var errs []error
	for _, s := range v.scopes {
		if s.State.Status != plan.Present {
			continue
		}
		switch c := s.Conn.(type) {
		case resource.Keeper:
			errs = append(errs, c.DropLedger(ctx, v.program.Project))
		case resource.Marker:
			errs = append(errs, c.SaveMarks(ctx, v.program.Project, func(m map[string]resource.Mark) { clear(m) }))
		}
	}
	v.hint(nil)
	return errors.Join(errs...)
}

func kindOf(s *apply.Scope, o *resource.Object) *resource.Kind {
	return registry.Kind(s.State.Scope.Type, o.Kind)
}

// hintFile holds the inventories of the projects whose scripts live in a
// folder, by project.
const hintFile = ".swarmscript/inventory.json"

func readHint(root, project string) []resource.ScopeEntry {
	all, err := readHints(root)
	if err != nil {
		return nil // it is a hint: without it, only what nothing else names is not found
	}
	return all[project]
}

func readHints(root string) (map[string][]resource.ScopeEntry, error) {
	data, err := os.ReadFile(filepath.Join(root, hintFile))
	if err != nil {
		return nil, err
	}
	var all map[string][]resource.ScopeEntry
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	if all == nil { // the file says null
		all = map[string][]resource.ScopeEntry{}
	}
	return all, nil
}

// writeHint changes a project's entry; without entries it goes. Nothing is
// written where nothing changes.
func writeHint(root, project string, entries []resource.ScopeEntry) error {
	all, err := readHints(root)
	if err != nil {
		all = map[string][]resource.ScopeEntry{}
	}
	if slices.Equal(all[project], entries) {
		return nil
	}
	all[project] = entries
	if len(entries) == 0 {
		delete(all, project)
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(root, hintFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
