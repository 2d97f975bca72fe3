package remote_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// BenchmarkEngine compares requests over SSH with those to the socket itself: a
// small one, and a list of configs of about 44 KB.
func BenchmarkEngine(b *testing.B) {
	e := testengine.Start(b, testengine.Docker28)
	local, err := remote.Dial(remote.Endpoint{Host: e.Host})
	if err != nil {
		b.Fatal(err)
	}
	defer local.Close()
	if _, err := local.API().SwarmInit(b.Context(), swarm.InitRequest{ListenAddr: "127.0.0.1:2377", AdvertiseAddr: "127.0.0.1"}); err != nil {
		b.Fatal(err)
	}
	for i := range 60 {
		spec := swarm.ConfigSpec{Annotations: swarm.Annotations{Name: fmt.Sprintf("c%d", i)}, Data: []byte(strings.Repeat("x", 360))}
		if _, err := local.API().ConfigCreate(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
	}
	s := testengine.StartBareSSHD(b, "SetEnv HOME=/nonexistent")
	h := dial(b, machine(b, s))
	over, err := h.Docker(strings.TrimPrefix(e.Host, "unix://"))
	if err != nil {
		b.Fatal(err)
	}
	defer over.Close()
	m := machine(b, s)
	gate := testengine.StartBareSSHD(b)
	configure(b, "Host gate\n HostName 127.0.0.1\n User root\n Port "+gate.Port+"\n IdentityFile "+gate.Key+"\n StrictHostKeyChecking accept-new\n")
	m.Jump = "gate"
	jumping, err := dial(b, m).Docker(strings.TrimPrefix(e.Host, "unix://"))
	if err != nil {
		b.Fatal(err)
	}
	defer jumping.Close()
	for _, way := range []struct {
		name string
		d    *remote.Docker
	}{{"local", local}, {"ssh", over}, {"jump", jumping}} {
		if _, err := way.d.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Run("ping/"+way.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := way.d.API().Ping(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("list/"+way.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := way.d.API().ConfigList(b.Context(), swarm.ConfigListOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("command", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Run(b.Context(), remote.Command{Script: "true"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
