package engine

import (
	"strings"
	"testing"
)

// Arguments before a FROM are what it knows; given ones count.
func TestStagesKnowArguments(t *testing.T) {
	other := "nginx:2"
	for _, tt := range []struct {
		file  string
		given map[string]*string
		want  string
	}{
		{"FROM nginx", nil, "nginx"},
		{"ARG BASE=nginx:1\nFROM ${BASE} AS web\nFROM web", nil, "nginx:1 web"},
		{"ARG BASE=nginx:1\nFROM $BASE", map[string]*string{"BASE": &other}, "nginx:2"},
		{"ARG BASE\nFROM ${BASE:-nginx:3}", nil, "nginx:3"},
		{`ARG NAME="nginx" TAG=4` + "\nFROM --platform=linux/amd64 $NAME:$TAG", nil, "nginx:4"},
	} {
		stages, err := stagesOf(tt.file, tt.given)
		if err != nil {
			t.Errorf("%q: %v", tt.file, err)
			continue
		}
		var bases []string
		for _, s := range stages {
			bases = append(bases, s.base)
		}
		if got := strings.Join(bases, " "); got != tt.want {
			t.Errorf("%q: based on %s, want %s", tt.file, got, tt.want)
		}
	}
	for _, file := range []string{"FROM ${BASE", "ARG BASE\nFROM $BASE", "RUN true\nFROM nginx"} {
		if _, err := stagesOf(file, nil); err == nil {
			t.Errorf("%q is taken", file)
		}
	}
}
