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
	// errValue is one value of those that "decoding failed" for, errFunc who in Go says so.
	errFunc  = pattern.Of(`^(strconv\.\w+|time): `)
	errValue = pattern.Of(`(?m)^\W*'([a-z]+\[[^']*)'[: ]+(.+)$`)
)

// valueErrs are values of which compose-go makes nothing, as sizes, times and
// numbers.
func (in *input) valueErrs(err error) (problems diag.List) {
	for _, m := range errValue().FindAllStringSubmatch(err.Error(), -1) {
		keys := placeKeys(m[1])
		what := errFunc().ReplaceAllString(m[2], "")
		if v := in.said(keys...); v != "" && !strings.Contains(what, v) {
			what += ": " + v
		}
		problems = append(problems, &diag.Diagnostic{Pos: in.at(keys...), Summary: strings.Join(keys, ".") + ": " + what})
	}
	problems.Sort()
	return problems
}

// placeKeys are the keys of services[web].ports.0.
func placeKeys(place string) []string {
	return strings.FieldsFunc(place, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// loadErr is an error of compose-go, at the place that it is about as far as its
// text says.
func (in *input) loadErr(err error) diag.List {
	if problems := in.valueErrs(err); problems != nil {
		return problems
	}
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
	if keys := placeKeys(place); len(keys) > 0 {
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
