package resource

import (
	"testing"
	"time"
)

func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 s", 1400 * time.Millisecond: "1 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min",
		200 * time.Second: "3 min 20 s", 3 * time.Hour: "3 h 0 min",
	} {
		if got := About(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}
