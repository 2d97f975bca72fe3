//lint:file-ignore SA1019 deprecated, and still sent: clients read it

package engine

import (
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

const (
	pastEvents   = 256  // that `docker events --since` can show, as Docker's
	queuedEvents = 8192 // of a listener that does not read; what is more is lost to it
)

// bus carries events to those who listen, and keeps the last ones.
type bus struct {
	mu        sync.Mutex
	past      []events.Message
	listeners map[chan any]filters.Args
}

func (b *bus) publish(m events.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.past) == pastEvents {
		b.past = append(b.past[:0:0], b.past[1:]...)
	}
	b.past = append(b.past, m)
	for l, f := range b.listeners {
		if !wanted(f, m) {
			continue
		}
		select {
		case l <- m:
		default:
		}
	}
}

// SubscribeToEvents returns what was, and a channel for what will be.
func (e *Engine) SubscribeToEvents(since, until time.Time, f filters.Args) (past []events.Message, l chan any) {
	b := &e.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[chan any]filters.Args{}
	}
	if !since.IsZero() || !until.IsZero() {
		for _, m := range b.past {
			at := time.Unix(0, m.TimeNano)
			if !at.Before(since) && (until.IsZero() || !at.After(until)) && wanted(f, m) {
				past = append(past, m)
			}
		}
	}
	l = make(chan any, queuedEvents)
	b.listeners[l] = f
	return past, l
}

// UnsubscribeFromEvents ends a subscription.
func (e *Engine) UnsubscribeFromEvents(l chan any) {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	delete(e.bus.listeners, l)
}

// Event tells an event of the swarm (a node, a service, a secret ...) to the
// engine's listeners.
func (e *Engine) Event(m events.Message) { e.bus.publish(m) }

func (e *Engine) event(kind events.Type, action events.Action, id string, attributes map[string]string) {
	now := time.Now().UTC()
	m := events.Message{
		Type: kind, Action: action, Scope: "local", Time: now.Unix(), TimeNano: now.UnixNano(),
		Actor: events.Actor{ID: id, Attributes: attributes},
	}
	switch kind { // the fields of old clients
	case events.ContainerEventType:
		m.Status, m.ID, m.From = string(action), id, attributes["image"]
	case events.ImageEventType:
		m.Status, m.ID = string(action), id
	}
	e.bus.publish(m)
}

// containerEvent has the container's labels, image and name as attributes.
func (e *Engine) containerEvent(c *container, action events.Action, more ...string) {
	attributes := map[string]string{}
	for k, v := range c.Config.Labels {
		attributes[k] = v
	}
	if c.Config.Image != "" {
		attributes["image"] = c.Config.Image
	}
	attributes["name"] = strings.TrimPrefix(c.Name, "/")
	for i := 0; i+1 < len(more); i += 2 {
		attributes[more[i]] = more[i+1]
	}
	e.event(events.ContainerEventType, action, c.ID, attributes)
}

// wanted says whether a filter lets an event pass.
func wanted(f filters.Args, m events.Message) bool {
	name := m.Actor.Attributes["name"]
	of := func(key string, kind events.Type) bool {
		return !f.Contains(key) || m.Type == kind && (f.ExactMatch(key, m.Actor.ID) || f.ExactMatch(key, name) || f.Match(key, name))
	}
	image := func() bool {
		if !f.Contains("image") {
			return true
		}
		id := m.Actor.ID
		if m.Type != events.ImageEventType {
			id, name = m.Actor.Attributes["image"], m.Actor.Attributes["image"]
		}
		bare, _, _ := strings.Cut(name, ":")
		return f.ExactMatch("image", id) || f.ExactMatch("image", name) || f.ExactMatch("image", bare)
	}
	action, _, _ := strings.Cut(string(m.Action), ":") // "health_status: healthy"
	return (f.ExactMatch("event", string(m.Action)) || f.ExactMatch("event", action)) &&
		f.ExactMatch("type", string(m.Type)) && f.ExactMatch("scope", m.Scope) &&
		(!f.Contains("label") || f.MatchKVList("label", m.Actor.Attributes)) &&
		of("container", events.ContainerEventType) && of("volume", events.VolumeEventType) &&
		of("network", events.NetworkEventType) && of("daemon", events.DaemonEventType) &&
		of("plugin", events.PluginEventType) && of("service", events.ServiceEventType) &&
		of("node", events.NodeEventType) && of("secret", events.SecretEventType) &&
		of("config", events.ConfigEventType) && image()
}
