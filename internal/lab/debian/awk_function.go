package debian

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// awkFunction returns one of awk's own functions.
func awkFunction(name string, args []awkExpr, places []*awkPlace, names []string) (awkExpr, error) {
	text := func(a *awk, i int) string { return a.text(args[i](a)) }
	number := func(a *awk, i int) float64 { return args[i](a).number() }
	want := func(least, most int) error { return awkCount(name, args, least, most) }
	switch name {
	case "length":
		return func(a *awk) awkValue {
			if len(args) == 0 {
				return awkNumber(float64(len(a.current())))
			}
			if arr, ok := a.arrays[names[0]]; ok && places[0] != nil {
				return awkNumber(float64(len(arr)))
			}
			return awkNumber(float64(len(text(a, 0))))
		}, want(0, 1)
	case "substr":
		return func(a *awk) awkValue {
			s := text(a, 0)
			from := int(math.Round(number(a, 1))) - 1
			to := len(s)
			if len(args) == 3 {
				to = from + int(math.Round(number(a, 2)))
			}
			from, to = max(0, from), min(to, len(s))
			if from >= to {
				return awkText("")
			}
			return awkText(s[from:to])
		}, want(2, 3)
	case "index":
		return func(a *awk) awkValue { return awkNumber(float64(strings.Index(text(a, 0), text(a, 1)) + 1)) }, want(2, 2)
	case "tolower":
		return func(a *awk) awkValue { return awkText(strings.ToLower(text(a, 0))) }, want(1, 1)
	case "toupper":
		return func(a *awk) awkValue { return awkText(strings.ToUpper(text(a, 0))) }, want(1, 1)
	case "int":
		return func(a *awk) awkValue { return awkNumber(math.Trunc(number(a, 0))) }, want(1, 1)
	case "sub", "gsub":
		return awkSubstitute(name == "gsub", args, places), want(2, 3)
	}
	return awkArrayFunction(name, args, names)
}

// awkArrayFunction returns one of those that take a list, or leave more than a value.
func awkArrayFunction(name string, args []awkExpr, names []string) (awkExpr, error) {
	text := func(a *awk, i int) string { return a.text(args[i](a)) }
	want := func(least, most int) error { return awkCount(name, args, least, most) }
	switch name {
	case "sprintf":
		return func(a *awk) awkValue {
			list := make([]string, len(args))
			for i := range args {
				list[i] = text(a, i)
			}
			s, _ := formatOnce(list[0], list[1:])
			return awkText(s)
		}, want(1, 100)
	case "split":
		return func(a *awk) awkValue {
			fs := a.text(a.vars["FS"])
			s := text(a, 0)
			if len(args) == 3 {
				fs = text(a, 2)
			}
			parts := a.splitText(s, fs)
			arr := map[string]awkValue{}
			for i, part := range parts {
				arr[strconv.Itoa(i+1)] = awkInput(part)
			}
			a.arrays[names[1]] = arr
			return awkNumber(float64(len(parts)))
		}, want(2, 3)
	case "match":
		return func(a *awk) awkValue {
			start, length := 0, -1
			if re := a.regexp(text(a, 1)); re != nil {
				if at := re.FindStringIndex(text(a, 0)); at != nil {
					start, length = at[0]+1, at[1]-at[0]
				}
			}
			a.set("RSTART", awkNumber(float64(start)))
			a.set("RLENGTH", awkNumber(float64(length)))
			return awkNumber(float64(start))
		}, want(2, 2)
	}
	return nil, fmt.Errorf("swarmscript lab: not simulated: the function %s of awk", name)
}

// awkCount says where there are too few or too many arguments.
func awkCount(name string, args []awkExpr, least, most int) error {
	if len(args) < least || len(args) > most {
		return fmt.Errorf("%s: %w", name, errAwkArguments)
	}
	return nil
}

func awkSubstitute(all bool, args []awkExpr, places []*awkPlace) awkExpr {
	return func(a *awk) awkValue {
		at := &awkPlace{get: func(a *awk) awkValue { return awkText(a.current()) }, set: func(a *awk, v awkValue) { a.setField(0, a.text(v)) }}
		if len(args) == 3 && places[2] != nil {
			at = places[2]
		}
		re, with, s := a.regexp(a.text(args[0](a))), a.text(args[1](a)), a.text(at.get(a))
		if re == nil {
			return awkNumber(0)
		}
		limit := 1
		if all {
			limit = -1
		}
		found := re.FindAllStringIndex(s, limit)
		if len(found) == 0 {
			return awkNumber(0)
		}
		var b strings.Builder
		last := 0
		for _, m := range found {
			b.WriteString(s[last:m[0]])
			b.WriteString(expandReplacement(with, s, []int{m[0], m[1]}))
			last = m[1]
		}
		b.WriteString(s[last:])
		at.set(a, awkText(b.String()))
		return awkNumber(float64(len(found)))
	}
}
