package swarm_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestRealLedger(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		ctx, c := t.Context(), w.sw.(*swarm.Conn)
		if l := w.observe(w.sw).Ledger; l.HashKey != nil || l.Scopes != nil {
			t.Errorf("before the first apply there is a ledger: %+v", l)
		}
		scopes := []resource.ScopeEntry{{Address: "swarm.main", Type: "swarm", ID: "abc", Endpoint: "unix:///x"}}
		one, err := c.SaveLedger(ctx, w.project, func(l *resource.Ledger) { l.Scopes = scopes })
		if err != nil || len(one.HashKey) != 32 {
			t.Fatalf("the new ledger is %+v, %v", one, err)
		}
		writes := w.eng.Remote().Requests().Writes
		two, err := c.SaveLedger(ctx, w.project, func(l *resource.Ledger) { l.Scopes, l.HashKey = scopes, bytes.Repeat([]byte{1}, 32) })
		if err != nil || !bytes.Equal(two.HashKey, one.HashKey) {
			t.Errorf("the key was replaced: %+v, %v", two, err)
		}
		if got := w.eng.Remote().Requests().Writes; got != writes {
			t.Errorf("saving what is there writes %d times", got-writes)
		}
		mark := resource.Mark{Project: w.project, Address: "network.x", Keys: []string{"labels:a,b"}}
		if _, err := c.SaveLedger(ctx, w.project, func(l *resource.Ledger) {
			l.Marks = map[string]resource.Mark{"id1": mark, "id2": {Project: "other", Address: "network.y"}}
		}); err != nil {
			t.Fatal(err)
		}
		obs := w.observe(w.sw)
		want := resource.Ledger{HashKey: one.HashKey, Scopes: scopes, Marks: map[string]resource.Mark{"id1": mark, "id2": {Project: "other", Address: "network.y"}}}
		if !reflect.DeepEqual(obs.Ledger, want) {
			t.Errorf("the ledger is %+v, want %+v", obs.Ledger, want)
		}
		for _, o := range obs.Objects {
			if o.Kind == "config" {
				t.Errorf("the ledger is shown as %s", o.Name)
			}
		}

		// Writers at once: nothing of anybody's is lost.
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if _, err := c.SaveLedger(ctx, w.project, func(l *resource.Ledger) {
					l.Marks[fmt.Sprintf("n%d", i)] = resource.Mark{Project: w.project, Address: value.Address(fmt.Sprintf("network.n%d", i))}
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := len(w.observe(w.sw).Ledger.Marks); got != 10 {
			t.Errorf("there are %d marks, want 10", got)
		}

		// A thousand hosts fit.
		big := make([]resource.ScopeEntry, 10_000)
		for i := range big {
			big[i] = resource.ScopeEntry{Address: fmt.Sprintf("vm.wrk-%d", i), Type: "host", Endpoint: fmt.Sprintf("ssh://admin@10.0.%d.%d", i/250, i%250), ID: fmt.Sprintf("%d", i)}
		}
		if _, err := c.SaveLedger(ctx, w.project, func(l *resource.Ledger) { l.Scopes = big }); err != nil {
			t.Fatal(err)
		}
		if got := w.observe(w.sw).Ledger.Scopes; !reflect.DeepEqual(got, big) {
			t.Errorf("%d scopes came back", len(got))
		}
		for range 2 {
			if err := c.DropLedger(ctx, w.project); err != nil {
				t.Fatal(err)
			}
		}
		if l := w.observe(w.sw).Ledger; l.HashKey != nil {
			t.Error("the ledger is still there")
		}
	})
}

func TestRealSwarmLease(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		other, err := engine.Connect(remote.Endpoint{Host: w.e.Host, ConfigDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		races(t, w.project, w.sw.(resource.Leaser), swarm.NewConn(other.Remote(), nil))
		keeps(t, w)
	})
}

func TestRealEngineLease(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		other, err := engine.Connect(remote.Endpoint{Host: w.e.Host, ConfigDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		races(t, w.project, w.eng, other)
		if n := w.e.Docker("volume", "ls", "--quiet"); len(n) > 60 {
			t.Errorf("volumes pile up:\n%s", n)
		}
	})
}

// races lets several writers try for one lease, over and over: each time one
// holds it, until it is released or has expired.
func races(t *testing.T, project string, conns ...resource.Leaser) {
	ctx := t.Context()
	const writers, rounds = 6, 50
	for round := range rounds {
		old, now, err := conns[0].ReadLease(ctx, project)
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(now); d > time.Minute || d < -time.Minute {
			t.Fatalf("the scope's clock is off by %s", d)
		}
		if old != nil && round%2 == 1 {
			t.Fatalf("round %d begins with %+v", round, old)
		}
		var won atomic.Pointer[resource.Lease]
		var wins, losses atomic.Int32
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				next := &resource.Lease{Holder: fmt.Sprintf("writer %d of round %d", i, round), Why: "test", Since: now, Expires: now.Add(time.Minute)}
				got, err := conns[i%len(conns)].WriteLease(ctx, project, old, next)
				switch {
				case err == nil:
					wins.Add(1)
					won.Store(got)
				case errors.Is(err, resource.ErrConflict):
					losses.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 || losses.Load() != writers-1 {
			t.Fatalf("round %d: %d hold the lease, %d have lost", round, wins.Load(), losses.Load())
		}
		held := won.Load()
		read, _, err := conns[1].ReadLease(ctx, project)
		if err != nil || read == nil || read.Holder != held.Holder || !read.Expires.Equal(held.Expires) {
			t.Fatalf("round %d: %+v is read back as %+v, %v", round, held, read, err)
		}
		// A writer that saw the lease of an earlier round is late.
		if _, err := conns[1].WriteLease(ctx, project, old, &resource.Lease{Holder: "late"}); !errors.Is(err, resource.ErrConflict) {
			t.Fatalf("round %d: a late writer gets %v", round, err)
		}
		renewed := *held
		renewed.Expires = held.Expires.Add(time.Minute)
		again, err := conns[0].WriteLease(ctx, project, held, &renewed)
		if err != nil {
			t.Fatalf("round %d: the renewal fails: %v", round, err)
		}
		if _, err := conns[0].WriteLease(ctx, project, held, &renewed); !errors.Is(err, resource.ErrConflict) {
			t.Fatalf("round %d: a renewal of what was renewed gives %v", round, err)
		}
		if round%2 == 1 {
			continue // left behind, for the next round to take over
		}
		if _, err := conns[0].WriteLease(ctx, project, again, nil); err != nil {
			t.Fatalf("round %d: the release fails: %v", round, err)
		}
	}
}

// keeps shows that the lease and the rest of the ledger leave each other alone.
func keeps(t *testing.T, w *world) {
	ctx, c := t.Context(), w.sw.(*swarm.Conn)
	old, now, err := c.ReadLease(ctx, w.project)
	if err != nil {
		t.Fatal(err)
	}
	key := w.observe(w.sw).Ledger.HashKey
	held, err := c.WriteLease(ctx, w.project, old, &resource.Lease{Holder: "me", Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.SaveLedger(ctx, w.project, func(l *resource.Ledger) {
		l.Scopes = []resource.ScopeEntry{{Address: "swarm.main", Type: "swarm"}}
	})
	if err != nil || !bytes.Equal(l.HashKey, key) || len(key) != 32 {
		t.Errorf("the key was %x and is %x, %v", key, l.HashKey, err)
	}
	if held, err = c.WriteLease(ctx, w.project, held, &resource.Lease{Holder: "me", Expires: now.Add(2 * time.Hour)}); err != nil {
		t.Errorf("after the ledger changed, the renewal fails: %v", err)
	}
	if got := w.observe(w.sw).Ledger.Scopes; len(got) != 1 {
		t.Errorf("the renewal left the scopes %v", got)
	}
	if err := c.DropLedger(ctx, w.project); err != nil {
		t.Error(err)
	}
	if _, err := c.WriteLease(ctx, w.project, held, held); !errors.Is(err, resource.ErrConflict) {
		t.Errorf("the renewal of a lease that is gone gives %v", err)
	}
	if _, err := c.WriteLease(ctx, w.project, held, nil); err != nil {
		t.Errorf("the release of a lease that is gone gives %v", err)
	}
}

// A look at everything is a bounded number of calls, whatever there is.
func TestRealCallCount(t *testing.T) {
	onEngines(t, func(w *world) {
		t := w.t
		w.inSwarm()
		w.e.Docker("swarm", "update", "--autolock")
		for i := range 5 {
			name := fmt.Sprintf("n%d", i)
			w.create(swarm.NetworkKind, name, args{"name": name})
			w.version(swarm.SecretKind, make([]byte, 32), args{"name": name, "value": name})
			w.version(swarm.ConfigKind, make([]byte, 32), args{"name": name, "content": name})
		}
		proxy := testengine.Proxy(t, w.e)
		conn, err := engine.Connect(remote.Endpoint{Host: proxy.Host, ConfigDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fresh := *w
		fresh.eng = conn
		if n := len(proxy.Calls()); n != 0 {
			t.Errorf("connecting makes %d calls", n)
		}
		fresh.join()
		fresh.observe(fresh.sw)
		if proxy.Reads() > 10 || proxy.Writes() > 0 {
			t.Errorf("a look makes %d reads and %d writes, want 10 and 0 at most: %v", proxy.Reads(), proxy.Writes(), proxy.Calls())
		}
		if got := conn.Remote().Requests(); got.Reads != int64(proxy.Reads()) || got.Writes != 0 {
			t.Errorf("we count %+v, the proxy %d", got, proxy.Reads())
		}
		t.Logf("%d calls: %v", proxy.Reads(), proxy.Calls())

		// An engine that is lost is not one without objects.
		proxy.Fault(func(testengine.Call) testengine.Fault { return testengine.Cut })
		_, err = conn.Observe(t.Context(), resource.Query{Project: w.project})
		if !errors.Is(err, resource.ErrUnreachable) || !errors.Is(err, resource.ErrTransient) {
			t.Errorf("a lost connection gives %v", err)
		}
		_, err = fresh.sw.Observe(t.Context(), resource.Query{Project: w.project})
		contains(t, err, "lost the connection to the Docker Engine at "+proxy.Host)
		proxy.Refuse(true)
		_, err = conn.Observe(t.Context(), resource.Query{Project: w.project})
		if !errors.Is(err, resource.ErrUnreachable) || errors.Is(err, resource.ErrTransient) {
			t.Errorf("an engine that is down gives %v", err)
		}
	})
}
