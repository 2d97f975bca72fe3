package engine

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Docker fills in what nobody said: from the image's configuration (its user,
// command, health check, ...) and from the engine's (its logging driver, the
// size of /dev/shm, ...). A live container does not tell which is which. So a
// container's labels say which of these arguments were given when it was made;
// the others read back as not given. Labels never change, and neither do these
// arguments.
//
// Merged maps, env and labels, need no such list: the mark holds their keys.

// borrowed are the arguments that Docker fills in as a whole.
var borrowed = []string{
	"command", "entrypoint", "hostname", "user", "workdir", "stop_signal", // from the image
	"init", "runtime", "ipc", "cgroupns", "shm_size", "memory_swap", "log_driver", // from the engine
}

const labelGiven = "swarmscript.given"

// given is what of the borrowed arguments the script gave.
type given []string

func (g given) has(what string) bool { return slices.Contains(g, what) }

// values returns what was given of a list: the element for "expose:80/tcp".
func (g given) values(list string) []string {
	var out []string
	for _, s := range g {
		if v, ok := strings.CutPrefix(s, list+":"); ok {
			out = append(out, v)
		}
	}
	return out
}

// value returns what was given for an argument that Docker does not show.
func (g given) value(name string) string {
	if v := g.values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// givenBy lists what of the borrowed arguments a script gives. s is args,
// decoded.
func givenBy(args value.Struct, s *ContainerSpec) given {
	var out given
	for _, name := range borrowed {
		f, _ := containerSchema.Field(name)
		if v := args[f.Index]; v != nil && !f.Type.Same(v, f.Default) || v == false {
			out = append(out, name)
		}
	}
	add := func(list, v string) { out = append(out, list+":"+v) }
	for _, p := range s.Expose {
		add("expose", string(p))
	}
	for _, v := range s.Volumes {
		if v.anonymous() {
			add("volumes", string(v))
		}
	}
	for _, o := range s.SecurityOpts {
		if strings.HasPrefix(string(o), "label=") {
			add("security_opts", string(o))
		}
	}
	for _, u := range s.Ulimits {
		add("ulimits", u.Name)
	}
	for k := range s.LogOpts {
		add("log_opts", k)
	}
	if s.Platform != "" {
		add("platform", s.Platform)
	}
	if s.State == stateCompleted {
		add("state", s.State)
	}
	health, _ := containerSchema.Field("healthcheck")
	if fields, ok := value.Reveal(args[health.Index]).(value.Struct); ok {
		for i, f := range health.Type.Struct.Fields() {
			if !f.Type.Same(fields[i], f.Default) {
				add("healthcheck", f.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// onlyGiven returns a health check without what the image said.
func (g given) onlyGiven(h swarm.Healthcheck) swarm.Healthcheck {
	s := schema.Of(h)
	fields := s.Encode(h)
	for i, f := range s.Fields() {
		if !g.has("healthcheck:" + f.Name) {
			fields[i] = f.Default
		}
	}
	var out swarm.Healthcheck
	if s.Decode(fields, &out) != nil {
		return h // it was encoded a moment ago
	}
	return out
}

// note puts it into the labels.
func (g given) note(labels map[string]string) {
	text, _ := json.Marshal(append(given{}, g...)) // strings only
	labels[labelGiven] = string(text)
}

// readGiven returns what a container's labels say. One that was made by hand,
// and adopted, has no such label: what its declaration gives now was given.
func readGiven(labels map[string]string, declared value.Struct) given {
	var g given
	if text, ours := labels[labelGiven]; ours {
		_ = json.Unmarshal([]byte(text), &g) // what was tampered with is replaced
		return g
	}
	var s ContainerSpec
	if declared == nil || containerSchema.Decode(known(declared), &s) != nil {
		return nil
	}
	return givenBy(declared, &s)
}
