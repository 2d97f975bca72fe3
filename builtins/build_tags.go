package builtins

import (
	"fmt"
	"slices"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// oneBuildEach finds names that several images would have on one engine: each apply
// would give the name to the next one. Builds of one image may share it: the second
// waits for the first, and finds it built.
func (r *Recorder) oneBuildEach() (out diag.List) {
	type place struct{ engine, tag string }
	has := map[place]*resource.Declaration{}
	for _, d := range r.program.Declarations {
		from := d // what the image is made of
		if isCopy(d.Kind) {
			from = r.imageOf(argument(d, "image"))
		}
		if d.External || from == nil || from.Kind.Name != "build" {
			continue
		}
		tags, _ := argument(from, "tags").(value.List)
		for _, t := range tags {
			tag, known := t.(string)
			if !known {
				continue
			}
			at := place{d.Scope, tag}
			first := has[at]
			if first == nil || first == from {
				has[at] = from
				continue
			}
			if what := otherwise(first, from); what != "" {
				out = append(out, &diag.Diagnostic{
					Pos:     d.Pos,
					Summary: fmt.Sprintf("%s and %s are both tagged %s, and are different images: %s is not the same", first.Address.Short(), from.Address.Short(), tag, what),
					Hint:    "give each a tag of its own",
					Related: []diag.Note{{Pos: first.Pos, Text: first.Address.Short() + " is declared here"}},
				})
				break
			}
			if from == d && !slices.Contains(d.After, first.Address) {
				d.After = append(d.After, first.Address)
			}
		}
	}
	return out
}

// otherwise is the first argument by which two builds come to different images, ""
// for none.
func otherwise(a, b *resource.Declaration) string {
	for _, f := range a.Kind.Schema.Fields() {
		switch {
		case f.Local, f.Name == "name", f.Name == "tags", f.Name == "push":
		case !value.Equal(orElse(a.Args[f.Index], f.Default), orElse(b.Args[f.Index], f.Default)):
			return f.Name
		}
	}
	return ""
}

func orElse(v, other value.Value) value.Value {
	if v == nil {
		return other
	}
	return v
}
