package emulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// lagging is what Resource Manager does not know yet: it keeps what there is in several
// regions, and the next request may come to one that has not heard of the last.
type lagging struct {
	made map[string]time.Time // until when it is not found, by its key
	gone map[string]remnant   // and what was deleted, and is listed still
}

type remnant struct {
	*record
	until time.Time
}

// lag is for how long something is not heard of that a request has done.
func (e *Emulator) lag(action string, p path) (d time.Duration) {
	for _, f := range e.faults.pick(action, p.name(), func(f *Fault) bool { return f.Lag > 0 }) {
		d = max(d, f.Lag)
	}
	return d
}

// makes remembers what a request has made, where that is to be heard of later.
func (t *tx) makes(c *call) {
	if d := t.lag(c.action, c.path); d > 0 {
		t.lagging.made[c.path.key()] = time.Now().Add(d)
	}
}

// forgets remembers what is deleted, where that is to be heard of later.
func (t *tx) forgets(r *record) {
	p := r.path()
	delete(t.lagging.made, p.key())
	if d := t.lag(actionOf(http.MethodDelete, p), p); d > 0 {
		t.lagging.gone[p.key()] = remnant{r, time.Now().Add(d)}
	}
}

// unheard reports whether something is there that is not heard of yet.
func (t *tx) unheard(p path) bool { return time.Now().Before(t.lagging.made[p.key()]) }

// hidden refuses a request whose group, or whose target, is not heard of yet, or that
// names such a thing. What makes it, or deletes it, is told to whoever has it.
func (t *tx) hidden(c *call) error {
	p := c.path
	if len(t.lagging.made) == 0 || p.Group == "" {
		return nil
	}
	writes := c.Method == http.MethodPut || c.Method == http.MethodDelete
	isGroup := p.key() == p.group().key()
	switch {
	case t.unheard(p.group()) && !(isGroup && writes):
		return errGroupNotFound(p.Group)
	case len(p.Types) > 1 && t.unheard(p.parent()):
		if writes {
			return errParentNotFound(p)
		}
		return errResourceNotFound(p.parent())
	case t.unheard(p) && !writes:
		return errResourceNotFound(p)
	}
	if c.body == nil || !p.whole() {
		return nil
	}
	for _, ref := range references(&record{ID: p.id(), Body: c.body}) {
		to, err := parsePath(ref.To)
		if err == nil && (t.unheard(to) || len(to.Types) > 1 && t.unheard(to.parent())) {
			return errReference(ref.From, ref.To)
		}
	}
	return nil
}

// remnants are the deleted things below a key that are listed still.
func (t *tx) remnants(prefix string) (out []*record) {
	for key, r := range t.lagging.gone {
		if strings.HasPrefix(key, prefix) && time.Now().Before(r.until) && t.get(key) == nil {
			out = append(out, r.record)
		}
	}
	slices.SortFunc(out, func(a, b *record) int { return strings.Compare(a.ID, b.ID) })
	return out
}
