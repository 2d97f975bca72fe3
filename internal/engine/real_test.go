package engine

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

func onEngines(t *testing.T, test func(t *testing.T, v testengine.Version)) {
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

func connect(t *testing.T, e remote.Endpoint) *Conn {
	t.Helper()
	e.ConfigDir = t.TempDir()
	c, err := Connect(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func swarmOf(obs *resource.Observation) *resource.Object {
	for _, o := range obs.Objects {
		if o.Kind == "swarm" {
			return o
		}
	}
	return nil
}

func TestRealTLS(t *testing.T) {
	onEngines(t, func(t *testing.T, v testengine.Version) {
		e := testengine.Start(t, v, testengine.TLS())
		file := func(name string) string { return filepath.Join(e.CertPath, name) }
		full := &remote.TLS{CA: file("ca.pem"), Cert: file("cert.pem"), Key: file("key.pem")}
		obs, err := connect(t, remote.Endpoint{Host: e.TCPHost, TLS: full}).Observe(t.Context(), resource.Query{Project: "p"})
		if err != nil || obs.API == "" || obs.Summary == "" {
			t.Fatalf("got %+v, %v", obs, err)
		}
		for _, tt := range []struct {
			name string
			tls  *remote.TLS
			want string
		}{
			{"no certificate", &remote.TLS{CA: file("ca.pem")}, "wants a certificate of ours"},
			{"stranger", &remote.TLS{Cert: file("cert.pem"), Key: file("key.pem")}, "unknown authority"},
			{"plain", nil, "wants TLS"},
		} {
			_, err := connect(t, remote.Endpoint{Host: e.TCPHost, TLS: tt.tls}).Observe(t.Context(), resource.Query{Project: "p"})
			if !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		}
	})
}

// What an engine's swarm may be in beside active: none of it is absent.
func TestRealSwarmStates(t *testing.T) {
	onEngines(t, func(t *testing.T, v testengine.Version) {
		e := testengine.Start(t, v)
		worker := testengine.Start(t, testengine.Docker28)
		c, cw := connect(t, remote.Endpoint{Host: e.Host}), connect(t, remote.Endpoint{Host: worker.Host})
		e.Docker("swarm", "init", "--advertise-addr", e.Addr, "--autolock")
		worker.Docker("swarm", "join", "--token", e.Docker("swarm", "join-token", "--quiet", "worker"), e.Addr+":2377")

		obs, err := cw.Observe(t.Context(), resource.Query{Project: "p"})
		if err != nil {
			t.Fatal(err)
		}
		o := swarmOf(obs)
		if o == nil || o.Mark.Project != "" {
			t.Fatalf("a worker's swarm is %+v", o)
		}
		if id := worker.Docker("info", "--format", "{{.Swarm.NodeID}}"); obs.Node != id {
			t.Errorf("it is node %q, want %q", obs.Node, id)
		}
		if _, err := swarm.SwarmKind.Handler.(resource.Opener).Open(t.Context(), cw, o); err == nil {
			t.Error("a worker opens a swarm")
		}

		e.Kill()
		if _, err := c.Observe(t.Context(), resource.Query{Project: "p"}); !errors.Is(err, resource.ErrUnreachable) {
			t.Errorf("an engine that is down gives %v", err)
		}
		e.Restart()
		for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			_, err = c.Observe(t.Context(), resource.Query{Project: "p"})
			if err != nil && strings.Contains(err.Error(), "is locked") || time.Now().After(deadline) {
				break
			}
		}
		if !errors.Is(err, resource.ErrUnreachable) || !strings.Contains(err.Error(), "docker swarm unlock") {
			t.Errorf("a locked swarm gives %v", err)
		}
	})
}

// What a project keeps in volumes on a lone engine is none of its objects, and
// marks are found again.
func TestRealMarks(t *testing.T) {
	onEngines(t, func(t *testing.T, v testengine.Version) {
		e := testengine.Start(t, v)
		c, ctx := connect(t, remote.Endpoint{Host: e.Host}), t.Context()
		observe := func(project string) *resource.Observation {
			t.Helper()
			obs, err := c.Observe(ctx, resource.Query{Project: project})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range obs.Objects {
				if o.Kind == "volume" {
					t.Errorf("volume %s is an object", o.Name)
				}
			}
			return obs
		}
		save := func(project string, change func(map[string]resource.Mark)) {
			t.Helper()
			if err := c.SaveMarks(ctx, project, change); err != nil {
				t.Fatal(err)
			}
		}
		observe("shop/a")
		lease, err := c.WriteLease(ctx, "shop/a", nil, &resource.Lease{Holder: "me"})
		if err != nil {
			t.Fatal(err)
		}
		one := resource.Mark{Project: "shop/a", Address: "engine.e/volume.x", Keys: []string{"labels:a"}, Sensitive: []string{"options"}}
		two := resource.Mark{Project: "shop/a", Address: "engine.e/volume.y"}
		save("shop/a", func(m map[string]resource.Mark) { m["1"] = one })
		save("shop/b", func(m map[string]resource.Mark) { m["3"] = resource.Mark{Project: "shop/b"} })
		save("shop/a", func(m map[string]resource.Mark) { m["2"] = two })
		if got := observe("shop/a").Ledger.Marks; len(got) != 2 || !got["1"].Equal(one) || !got["2"].Equal(two) {
			t.Errorf("the marks are %v", got)
		}
		before := e.Docker("volume", "ls", "--quiet")
		save("shop/a", func(m map[string]resource.Mark) { m["2"] = two })
		if now := e.Docker("volume", "ls", "--quiet"); now != before {
			t.Errorf("the same marks were written again: %s, then %s", before, now)
		}
		save("shop/a", func(m map[string]resource.Mark) { clear(m) })
		if got := observe("shop/a").Ledger.Marks; len(got) != 0 {
			t.Errorf("the marks are %v", got)
		}
		if got := observe("shop/b").Ledger.Marks; len(got) != 1 {
			t.Errorf("the other project's marks are %v", got)
		}
		if _, err := c.WriteLease(ctx, "shop/a", lease, nil); err != nil {
			t.Errorf("the lease was disturbed: %v", err)
		}
		if got := e.Docker("volume", "ls", "--quiet", "--filter", "name=shop.a.marks"); got != "" {
			t.Errorf("left are %s", got)
		}
	})
}

// Somebody else's volume of the name of marks, and marks that are damaged.
func TestRealMarksOfOthers(t *testing.T) {
	onEngines(t, func(t *testing.T, v testengine.Version) {
		e := testengine.Start(t, v)
		c, ctx := connect(t, remote.Endpoint{Host: e.Host}), t.Context()
		if _, err := c.Observe(ctx, resource.Query{Project: "shop/c"}); err != nil {
			t.Fatal(err)
		}
		e.Docker("volume", "create", "swarmscript.shop.c.marks.1")
		e.Docker("volume", "create", "swarmscript.shop.d.marks.7", "--label", "swarmscript.project=shop/d", "--label", "swarmscript.marks={")
		if err := c.SaveMarks(ctx, "shop/c", func(m map[string]resource.Mark) { m["1"] = resource.Mark{Project: "shop/c"} }); !errors.Is(err, resource.ErrConflict) {
			t.Errorf("over a stranger's volume: %v", err)
		}
		if _, err := c.Observe(ctx, resource.Query{Project: "shop/d"}); err == nil || !strings.Contains(err.Error(), "swarmscript.shop.d.marks.7") {
			t.Errorf("damaged marks: %v", err)
		}
	})
}

// Names that a volume cannot have, and projects that differ by them alone.
func TestLeaseBase(t *testing.T) {
	seen := map[string]string{}
	for _, p := range []string{"shop", "shop/staging", "shop.staging", "shop staging", "shop/a/b", "läden", "shop/staging.lease"} {
		b := leaseBase(p)
		if old, dup := seen[b]; dup {
			t.Errorf("%q and %q are both %s", old, p, b)
		}
		seen[b] = p
		if strings.Trim(b, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
			t.Errorf("%q is %s", p, b)
		}
	}
}
