package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/run"
)

func TestUnreachableScopesHaveAnOrder(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := &app{in: os.Stdin, out: f, err: f, getenv: func(string) string { return "" }}
	p := &run.Planned{Plan: &plan.Plan{Unreachable: map[string]error{}}}
	for _, c := range "hgfedcba" {
		p.Plan.Unreachable["engine."+string(c)] = errors.New("no answer")
	}
	_ = a.showOutputs(p, nil, false)
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if got := regexp.MustCompile(`engine\.\w`).FindAllString(string(text), -1); len(got) != 8 || !slices.IsSorted(got) {
		t.Errorf("shown as %q: %s", got, text)
	}
}
