package world

import (
	"maps"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// pair names two hosts in one order.
func pair(a, b string) api.Pair {
	if a > b {
		a, b = b, a
	}
	return api.Pair{A: a, B: b}
}

// Partition keeps two hosts from reaching each other.
func (w *World) Partition(a, b string) error {
	return w.separate(a, b, true)
}

// Heal lets two hosts reach each other again; all, where both are "".
func (w *World) Heal(a, b string) error {
	if a != "" || b != "" {
		return w.separate(a, b, false)
	}
	w.mu.Lock()
	all := slices.Collect(maps.Keys(w.apart))
	w.mu.Unlock()
	for _, p := range all {
		if err := w.separate(p.A, p.B, false); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) separate(a, b string, apart bool) error {
	one, err := w.Host(a)
	if err != nil {
		return err
	}
	other, err := w.Host(b)
	if err != nil {
		return err
	}
	if one == other {
		return &api.Failure{Code: api.CodeInvalid, Message: "a host always reaches itself"}
	}
	w.mu.Lock()
	if apart {
		w.apart[pair(a, b)] = true
		w.wire.Cut(one.rec.Address, other.rec.Address)
	} else {
		delete(w.apart, pair(a, b))
		w.wire.Heal(one.rec.Address, other.rec.Address)
	}
	w.mu.Unlock()
	w.cfg.Reaches()
	return w.saveApart()
}

func (w *World) saveApart() error {
	w.mu.Lock()
	pairs := slices.SortedFunc(maps.Keys(w.apart), func(a, b api.Pair) int { return strings.Compare(a.A+a.B, b.A+b.B) })
	w.mu.Unlock()
	return w.put("apart", pairs)
}

// forgetApart joins what was apart from a host that goes: its address is given to
// another one.
func (w *World) forgetApart(h *Host) error {
	w.mu.Lock()
	any := false
	for p := range w.apart {
		if p.A != h.rec.ID && p.B != h.rec.ID {
			continue
		}
		delete(w.apart, p)
		any = true
		for _, id := range []string{p.A, p.B} {
			if o := w.hosts[id]; o != nil {
				w.wire.Heal(h.rec.Address, o.rec.Address)
			}
		}
	}
	w.mu.Unlock()
	if !any {
		return nil
	}
	return w.saveApart()
}

// apartFrom returns the IDs of the hosts that one does not reach.
func (w *World) apartFrom(id string) (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.apart {
		switch id {
		case p.A:
			out = append(out, p.B)
		case p.B:
			out = append(out, p.A)
		}
	}
	slices.Sort(out)
	return out
}
