package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// dir is the host's folder, for what is kept in files.
func (h *Host) dir() string { return filepath.Join(h.world.cfg.Dir, "hosts", h.rec.ID) }

// build makes what is inside, from the host's disk.
func (h *Host) build() error { return h.rebuild(false) }

func (h *Host) rebuild(live bool) error {
	rec := h.record()
	if err := os.MkdirAll(h.dir(), 0o700); err != nil {
		return err
	}
	in := Inside{
		Hostname: rec.Name, Image: rec.Image, Address: rec.Address, User: rec.User, HostKey: rec.HostKey,
		AuthorizedKeys: append([]string{rec.UserPublic}, rec.SSHKeys...),
		NanoCPUs:       rec.NanoCPUs, Memory: rec.Memory, Store: h.bucket(), Dir: h.dir(), Live: live,
		Open: h.publish, Listen: h.listen, Dial: h.dial, Reboot: h.reboot, Trouble: h.note, Faults: h.world.Faults,
	}
	if in.NanoCPUs == 0 {
		in.NanoCPUs = defaultNanoCPUs
	}
	if in.Memory == 0 {
		in.Memory = defaultMemory
	}
	body, err := h.world.cfg.Make(in)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.body = body
	h.mu.Unlock()
	return nil
}

// wake brings a host back that was on when the world ended.
func (h *Host) wake(ctx context.Context) error {
	h.power.Lock()
	defer h.power.Unlock()
	rec := h.record()
	if rec.Paused {
		h.world.wire.Isolate(rec.Address)
	}
	err := h.rebuild(rec.On)
	if err == nil && rec.On {
		err = h.connect()
	}
	if err == nil && rec.On {
		err = h.boot(ctx)
	}
	if err != nil { // it is off, as one whose disk has gone bad
		h.note("it did not come back: " + err.Error())
		h.unplug()
		return errors.Join(err, h.set(func(r *record) { r.On, r.Paused = false, false }))
	}
	return nil
}

// sleep ends a host without a trace on disk: it is on when it wakes.
func (h *Host) sleep() {
	h.power.Lock()
	defer h.power.Unlock()
	h.unplug()
}

// unplug ends all that goes on.
func (h *Host) unplug() {
	ended := h.disconnect()
	if h.body != nil {
		h.body.Cut()
	}
	ended()
}

// Start boots the host, and returns when it answers.
func (h *Host) Start(ctx context.Context) error {
	h.power.Lock()
	defer h.power.Unlock()
	switch rec := h.record(); {
	case h.isGone():
		return h.errGone()
	case rec.On:
		return h.resume()
	}
	if err := h.rebuild(false); err != nil { // with what it may use by now
		return err
	}
	// Whoever sees that it is on is told where it listens, too.
	if err := h.connect(); err != nil {
		return err
	}
	if err := h.set(func(r *record) { r.On, r.Boots = true, r.Boots+1 }); err != nil {
		h.disconnect()
		return err
	}
	if err := h.boot(ctx); err != nil {
		return errors.Join(err, h.cut())
	}
	return nil
}

// boot starts the inside of a host that is on.
func (h *Host) boot(ctx context.Context) error {
	if err := h.body.Boot(ctx); err != nil {
		return fmt.Errorf("it did not boot: %w", err)
	}
	return nil
}

// Stop shuts the host down in an orderly way.
func (h *Host) Stop(ctx context.Context) error {
	h.power.Lock()
	defer h.power.Unlock()
	rec := h.record()
	if !rec.On {
		return nil
	}
	if err := h.resume(); err != nil {
		return err
	}
	if err := h.body.Halt(ctx); err != nil {
		h.note("it did not shut down in an orderly way: " + err.Error())
	}
	return h.cut()
}

// Kill cuts the host's power.
func (h *Host) Kill() error {
	h.power.Lock()
	defer h.power.Unlock()
	return h.cut()
}

// cut ends a host, and makes what is inside anew from its disk.
func (h *Host) cut() error {
	if !h.record().On {
		return nil
	}
	if err := h.set(func(r *record) { r.On, r.Paused = false, false }); err != nil {
		return err
	}
	h.unplug()
	h.gate.open()
	h.world.wire.Rejoin(h.rec.Address)
	return h.rebuild(false)
}

// Pause makes the host hang: nothing that it should answer is answered.
func (h *Host) Pause() error {
	h.power.Lock()
	defer h.power.Unlock()
	if !h.record().On {
		return &api.Failure{Code: api.CodeInvalid, Message: fmt.Sprintf("host %s is off: start it first", h.rec.FullName())}
	}
	h.gate.shut()
	h.world.wire.Isolate(h.rec.Address)
	h.world.cfg.Reaches()
	return h.set(func(r *record) { r.Paused = true })
}

// Resume lets a host go on that was paused.
func (h *Host) Resume() error {
	h.power.Lock()
	defer h.power.Unlock()
	return h.resume()
}

func (h *Host) resume() error {
	if !h.record().Paused {
		return nil
	}
	h.world.wire.Rejoin(h.rec.Address)
	h.world.cfg.Reaches()
	h.gate.open()
	return h.set(func(r *record) { r.Paused = false })
}

// reboot is what the host does when somebody on it asks for it.
func (h *Host) reboot(off bool) {
	go func() {
		ctx := context.Background() // who asked for it is gone with the host
		if h.world.isClosed() {
			return
		}
		err := h.Stop(ctx)
		if err == nil && !off {
			err = h.Start(ctx)
		}
		if err != nil {
			h.note("its reboot failed: " + err.Error())
		}
	}()
}

func (h *Host) isGone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// dial reaches another host at one of its ports.
func (h *Host) dial(ctx context.Context, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	to := h.world.At(host)
	if host == "127.0.0.1" || host == "localhost" {
		to = h
	}
	if to == nil {
		return nil, fmt.Errorf("dial %s: not simulated: only the lab's own hosts are there", address)
	}
	if !h.world.wire.Reaches(h.rec.Address, to.rec.Address) {
		<-ctx.Done() // packets go nowhere
		return nil, ctx.Err()
	}
	return to.reach(ctx, netip.MustParseAddr(h.rec.Address), port)
}
