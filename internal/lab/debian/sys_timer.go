package debian

import (
	"strings"
	"time"
)

// startTimer begins to wait.
func (m *units) startTimer(u *unit) error {
	file := m.file(u)
	wait := time.Duration(-1)
	for key, since := range map[string]time.Time{"Timer.OnActiveSec": time.Now(), "Timer.OnBootSec": m.sys.bootTime(), "Timer.OnStartupSec": m.sys.bootTime()} {
		if file.get(key) == "" {
			continue
		}
		d, ok := timeSpan(file.get(key))
		if !ok {
			return unitErrorf(1, "Failed to start %s: Unit %s has a bad unit file setting.", u.name, u.name)
		}
		if left := time.Until(since.Add(d)); wait < 0 || left < wait {
			wait = max(0, left)
		}
	}
	if on := file.get("Timer.OnCalendar"); on != "" {
		at, ok := nextCalendar(on, time.Now())
		if !ok {
			m.log.say(u.name, "systemd[1]", "swarmscript lab: not simulated: OnCalendar="+on)
			m.set(u, "failed", "failed")
			return unitErrorf(1, "Failed to start %s: swarmscript lab: not simulated: OnCalendar=%s", u.name, on)
		}
		if left := time.Until(at); wait < 0 || left < wait {
			wait = left
		}
	}
	m.set(u, "active", "waiting")
	m.log.say(u.name, "systemd[1]", "Started "+m.title(u)+".")
	if wait >= 0 {
		m.arm(u, wait)
	}
	return nil
}

// arm makes a timer start its service after a while.
func (m *units) arm(u *unit, wait time.Duration) {
	service := strings.TrimSuffix(u.name, ".timer") + ".service"
	if s := m.file(u).get("Timer.Unit"); s != "" {
		service = s
	}
	on := m.sys.on()
	m.mu.Lock()
	defer m.mu.Unlock()
	u.next = time.Now().Add(wait)
	u.alarm = time.AfterFunc(wait, func() {
		if on.Err() != nil {
			return
		}
		m.mu.Lock()
		u.sub = "running"
		m.mu.Unlock()
		_ = m.start(on, service) // its end is in the journal
		m.elapsed(u)
	})
}

// elapsed is the end of a timer's wait: it waits again, or is done.
func (m *units) elapsed(u *unit) {
	m.mu.Lock()
	if u.active != "active" {
		m.mu.Unlock()
		return
	}
	u.sub, u.alarm, u.next = "elapsed", nil, time.Time{}
	again, has := timeSpan(u.file.get("Timer.OnUnitActiveSec"))
	if !has {
		again, has = timeSpan(u.file.get("Timer.OnUnitInactiveSec"))
	}
	if at, ok := nextCalendar(u.file.get("Timer.OnCalendar"), time.Now()); ok && !has {
		again, has = time.Until(at), true
	}
	if has {
		u.sub = "waiting"
	} else if u.transient {
		u.active, u.sub = "inactive", "dead"
		delete(m.all, u.name)
	}
	m.mu.Unlock()
	if has {
		m.arm(u, again)
	}
}

// nextCalendar is the next time that an OnCalendar= means, for the few words that are
// known, and times of a day.
func nextCalendar(text string, now time.Time) (time.Time, bool) {
	now = now.UTC()
	day := now.Truncate(24 * time.Hour)
	switch text {
	case "minutely":
		return now.Truncate(time.Minute).Add(time.Minute), true
	case "hourly":
		return now.Truncate(time.Hour).Add(time.Hour), true
	case "daily":
		return day.AddDate(0, 0, 1), true
	case "weekly":
		return day.AddDate(0, 0, (8-int(day.Weekday()))%7+7*b2i(day.Weekday() == time.Monday)), true
	case "monthly":
		return time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC), true
	}
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "*-*-* "), ",")
	for _, layout := range []string{"15:04:05", "15:04", "15:4"} {
		if t, err := time.Parse(layout, text); err == nil {
			at := day.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second)
			if !at.After(now) {
				at = at.AddDate(0, 0, 1)
			}
			return at, true
		}
	}
	return time.Time{}, false
}
