package run

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// planned is a plan of nothing, as good as any for being saved.
func planned(t *testing.T) *Planned {
	t.Helper()
	s, err := Evaluate(t.Context(), Options{File: write(t, t.TempDir(), `project("shop")`)})
	if err != nil {
		t.Fatal(err)
	}
	return &Planned{Script: s, view: newView(&Script{Program: s.Program, root: t.TempDir()}), Plan: &plan.Plan{Project: "shop", Graph: &plan.Graph{}}}
}

// A plan that cannot be written leaves what was there before, and nothing else.
func TestSaveFails(t *testing.T) {
	p := planned(t)
	dir := t.TempDir()
	saveFails(t, p, dir, ".", "cannot write to a directory")
	saveFails(t, p, filepath.Join(dir, "none"), "x.plan", "no such file or directory")
}

// saveFails saves, which must end with an error and change nothing.
func saveFails(t *testing.T, p *Planned, dir, name, want string) {
	t.Helper()
	path := filepath.Join(dir, name)
	before, _ := os.ReadFile(path)
	err := p.Save(path, testVersion)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "was not saved") {
		t.Errorf("%s: got %v, want %s", path, err, want)
	}
	after, _ := os.ReadFile(path)
	if !bytes.Equal(before, after) {
		t.Errorf("%s: what was there is not there any more", path)
	}
	all, _ := os.ReadDir(dir)
	for _, e := range all {
		if strings.Contains(e.Name(), "tmp") {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

// What is unreachable is not planned, so such a plan is not saved.
func TestSaveUnreachable(t *testing.T) {
	p := planned(t)
	p.Plan.Unreachable = map[string]error{"engine.a": nil}
	path := filepath.Join(t.TempDir(), "x.plan")
	if err := p.Save(path, testVersion); !errors.Is(err, resource.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file")
	}
}

// Each thing that can be wrong with a file is said in words.
func TestLoadPlan(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.plan")
	if err := planned(t).Save(whole, testVersion); err != nil {
		t.Fatal(err)
	}
	if f, err := LoadPlan(whole, testVersion); err != nil || f.Project != "shop" || time.Since(f.Created) > time.Hour {
		t.Fatalf("%+v, %v", f, err)
	}
	if info, err := os.Stat(whole); err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	with := func(at int, by string) string { return string(good[:at]) + by + string(good[at+len(by):]) }
	for want, text := range map[string]string{
		"is empty, not a saved plan":                   "",
		"is not a saved plan":                          "PK\x03\x04 another program's",
		"is a script, not a saved plan":                `project("shop")`,
		"is damaged: it was cut short, or changed":     string(good[:len(good)-1]),
		"is damaged: it was cut short, or changed, a":  with(len(good)-20, "edited"),
		"is damaged: it was cut short":                 "swarmscript plan 1\n",
		`has the format "2", and this program knows 1`: strings.Replace(string(good), "plan 1\n", "plan 2\n", 1),
	} {
		name := filepath.Join(dir, "x.plan")
		if strings.Contains(want, "script,") {
			name = filepath.Join(dir, "x.star")
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadPlan(name, testVersion); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := LoadPlan(whole, "2.0.0"); err == nil || !strings.Contains(err.Error(), "was saved by swarmscript 1.2.3, and this is 2.0.0") {
		t.Errorf("of another version: %v", err)
	}
	if _, err := LoadPlan(dir, testVersion); err == nil || !strings.Contains(err.Error(), "is a folder, not a saved plan") {
		t.Errorf("of a folder: %v", err)
	}
	if _, err := LoadPlan(filepath.Join(dir, "none"), testVersion); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("of none: %v", err)
	}
}

// Every wish that a plan was made with is in its file, and is the plan's again
// when that is applied.
func TestSavedWishes(t *testing.T) {
	var want plan.Options
	v := reflect.ValueOf(&want).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case v.Type().Field(i).Tag.Get("json") == "-": // an import is not saved
		case f.Kind() == reflect.Bool:
			f.SetBool(true)
		default:
			f.Set(reflect.ValueOf([]string{v.Type().Field(i).Name}))
		}
	}
	var o Options
	if err := o.restore(&plan.File{Wishes: plan.Wishes{Options: want, Forget: []string{"engine.old"}, RefreshOnly: true}}); err != nil {
		t.Fatal(err)
	}
	if got := (&Planned{Script: &Script{opts: o}}).planOptions(); !reflect.DeepEqual(got, want) {
		t.Errorf("restored %+v\nwant     %+v", got, want)
	}
	if !slices.Equal(o.Forget, []string{"engine.old"}) || !o.RefreshOnly {
		t.Errorf("restored %+v", o)
	}
}
