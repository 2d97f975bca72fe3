package resource

import (
	"strings"
	"testing"
)

func TestAddressesHoldNoPasswords(t *testing.T) {
	for _, tt := range []struct{ in, shown string }{ // shown is "" where it is fine
		{"ssh://u:hunter2@h", "ssh://xxxxx@h"},
		{"ssh://u:hunter2%zz@h:22", "ssh://xxxxx@h:22"},
		{"ssh://u:hun@ter2/x@h", "ssh://xxxxx@h"},
		{"tcp://u:hunter2@h:2375", "tcp://xxxxx@h:2375"},
		{"tcp://hunter2@h:2375", "tcp://xxxxx@h:2375"},
		{"https://hunter2@h", "https://xxxxx@h"},
		{"u:hunter2@h", "xxxxx@h"},
		{"ssh://u@h:22", ""}, {"ssh://h", ""}, {"tcp://h:2375", ""}, {"tcp://[::1]:2375", ""},
		{"unix:///a:b@c.sock", ""}, {"npipe:////./pipe/a:b@c", ""}, {"", ""},
	} {
		want := tt.shown
		if want == "" {
			want = tt.in
		}
		if got := RedactAddress(tt.in); got != want {
			t.Errorf("%s is shown as %s, want %s", tt.in, got, want)
		}
		if err := CheckUserinfo(tt.in); (err == nil) != (tt.shown == "") || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", tt.in, err)
		}
	}
}
