package compose

import (
	"path/filepath"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
)

var (
	// errPath is the way that compose-go writes a place: services.web.ports.0
	errPath = pattern.Of(`\b(services|networks|volumes|secrets|configs)\.[A-Za-z0-9_.\-\[\]]+`)
	// errName is a service's name in its sentences.
	errName  = pattern.Of(`service "([^"]+)"`)
	errCycle = pattern.Of(`dependency cycle detected: (\S+)`)
	errKey   = pattern.Of(`additional properties '([^']+)'`)
	errIn    = pattern.Of(`^error while interpolating ([^:]+): `)
)

// loadErr is an error of compose-go, at the place that it is about as far as its
// text says.
func (in *input) loadErr(err error) diag.List {
	text := oneLine(err)
	text = strings.ReplaceAll(text, filepath.Clean(in.o.Root)+string(filepath.Separator), "")
	d := &diag.Diagnostic{Pos: diag.Pos{File: in.o.Files[0], Line: 1, Col: 1}}
	for _, f := range sorted(in.texts) {
		if strings.Contains(text, f) {
			d.Pos.File = f
		}
		text = strings.TrimPrefix(text, "validating "+f+": ")
	}
	place := errPath().FindString(text)
	if m := errIn().FindStringSubmatch(text); m != nil {
		text = strings.TrimPrefix(text, m[0])
	}
	if m := errCycle().FindStringSubmatch(text); m != nil {
		place = "services." + m[1] + ".depends_on"
	}
	if place == "" {
		if m := errName().FindStringSubmatch(text); m != nil {
			place = "services." + m[1]
		}
	}
	if keys := strings.FieldsFunc(place, func(r rune) bool { return r == '.' || r == '[' || r == ']' }); len(keys) > 0 {
		if m := errKey().FindStringSubmatch(text); m != nil {
			keys = append(keys, m[1])
		}
		if pos := in.at(keys...); pos.IsValid() {
			d.Pos = pos
		}
	}
	for _, kind := range []string{": invalid compose project", ": not found"} {
		text = strings.TrimSuffix(text, kind)
	}
	d.Summary = text
	return diag.List{d}
}
