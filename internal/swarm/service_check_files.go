package swarm

import (
	"fmt"
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

func checkServiceMounts(r reader, p *problems) {
	for _, m := range r.each("mounts") {
		at := fmt.Sprintf("mounts[%q]", m.str("target"))
		if m.str("type") == "image" {
			p.add(at, "a service cannot mount an image")
		}
		if how := m.str("bind_recursive"); how == "writable" || how == "readonly" {
			p.add(at, "bind_recursive %s is for containers: the swarm API knows enabled and disabled", how)
		}
	}
	checkMounts(r, p)
}

func checkMounts(r reader, p *problems) {
	seen := map[string]bool{}
	for _, m := range r.each("mounts") {
		at := fmt.Sprintf("mounts[%q]", m.str("target"))
		kind := m.str("type")
		p.list = append(p.list, checkLabels(at+".volume_labels", m.raw("volume_labels"))...)
		if t := m.str("target"); t != "" {
			if seen[t] {
				p.add("mounts", "%s is mounted on twice", t)
			}
			seen[t] = true
		}
		switch {
		case (kind == "bind" || kind == "npipe" || kind == "cluster" || kind == "image") && m.raw("source") == "":
			p.add(at, "a %s mount needs source", kind)
		case kind == "bind" && strings.HasPrefix(m.str("source"), "."):
			p.add(at, "source %q is relative, and to what differs between nodes", m.str("source"))
		case kind == "tmpfs" && m.raw("source") != "":
			p.add(at, "a tmpfs mount has no source")
		}
		if ref, ok := m.raw("source").(value.Ref); ok && kind != "" {
			if want := volumeType(ref.Address); kind != want {
				p.add(at, "source is %s, for which type is %q", ref.Address, want)
			}
		}
		for i, f := range m.schema.Fields() {
			of, _, ok := strings.Cut(f.Name, "_")
			if ok && of != kind && kind != "" && !f.Type.Same(m.args[i], f.Default) {
				p.add(at, "%s is for type %s, this is %s", f.Name, of, kind)
			}
		}
	}
}

// volumeType is the type of a mount of a declared volume.
func volumeType(a value.Address) string {
	if strings.HasPrefix(a.Scope(), "swarm.") {
		return "cluster"
	}
	return "volume"
}

func checkTargets(r reader, p *problems) {
	for _, kind := range []string{"secret", "config"} {
		seen := map[string]bool{}
		for _, ref := range r.each(kind + "s") {
			t := ref.str("target")
			if t == "" {
				continue
			}
			if seen[t] {
				p.add(kind+"s", "two of them have the target %s", t)
			}
			seen[t] = true
		}
	}
	seen := map[value.Value]bool{}
	for _, a := range r.each("networks") {
		n := a.raw("network")
		for _, f := range []string{"ip", "ip6", "link_local_ips", "mac_address", "gw_priority"} {
			field, _ := a.schema.Field(f)
			if v := a.raw(f); v != nil && (field.Default == nil || !field.Type.Same(v, field.Default)) {
				p.add("networks", "%s: %s is for containers: the swarm gives each task its address", value.Text(n), f)
			}
		}
		switch n.(type) {
		case string, value.Ref:
			if seen[n] {
				p.add("networks", "%s is there twice", value.Text(n))
			}
			seen[n] = true
		}
	}
}
