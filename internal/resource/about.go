package resource

import (
	"fmt"
	"time"
)

// About is a time for a person: 40 s, 3 min 20 s, 2 h 5 min.
func About(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch m := s / 60; {
	case s < 120:
		return fmt.Sprintf("%d s", max(s, 1))
	case m < 120 && s%60 > 0:
		return fmt.Sprintf("%d min %d s", m, s%60)
	case m < 120:
		return fmt.Sprintf("%d min", m)
	default:
		return fmt.Sprintf("%d h %d min", m/60, m%60)
	}
}
