package swarm

import (
	"testing"
	"time"
)

// A label says again what it was made of.
func TestSentAuth(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, s := range []sentAuth{
		{sent: at}, {login: "ab12", sent: at}, {sent: at, until: at.Add(12 * time.Hour)}, {login: "ab12", sent: at, until: at.Add(-time.Hour)},
	} {
		if got := readSentAuth(s.String()); got != s {
			t.Errorf("%s reads as %+v, was %+v", s, got, s)
		}
	}
	for _, text := range []string{"", "x", "sent=soon,until=", "until=2026", ",,="} {
		if s := readSentAuth(text); s.due(at) {
			t.Errorf("%q is due", text)
		}
	}
}

// A login is sent again in the last quarter of its time, and after it.
func TestSentAuthDue(t *testing.T) {
	sent := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s := sentAuth{sent: sent, until: sent.Add(12 * time.Hour)}
	for after, want := range map[time.Duration]bool{0: false, 6 * time.Hour: false, 9 * time.Hour: false, 9*time.Hour + time.Second: true, 12 * time.Hour: true, 24 * time.Hour: true} {
		if got := s.due(sent.Add(after)); got != want {
			t.Errorf("%v after it was sent it is due: %v", after, got)
		}
	}
	if (sentAuth{sent: sent}).due(sent.AddDate(10, 0, 0)) {
		t.Error("what does not expire is due")
	}
	old := sentAuth{sent: sent, until: sent.Add(-time.Hour)}
	if !old.due(sent.Add(time.Second)) {
		t.Error("what had expired when it was sent is not due")
	}
}
