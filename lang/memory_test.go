//go:build !race

package lang

import (
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// TestMemory runs short scripts that ask for as much as they can get, under
// the default limits. What the process took from the system stays below half
// as much again as the limit, and none takes long. The race detector's own memory
// would be counted.
func TestMemory(t *testing.T) {
	for _, test := range []struct{ name, src string }{
		{"text doubled in a list", "l = ['x' * 1000]\nfor i in range(60):\n    l = l + [l[0] + str(i)]\n    l = l + l\n"},
		{"repeated lists", "l = []\nfor i in range(1 << 30):\n    l.append([i] * 15000000)\n"},
		{"small repeated lists", "l = []\nfor i in range(1 << 30):\n    l.append([i] * 255)\n"},
		{"lists of ranges", "l = [list(range(15999999)) for i in range(100)]\n"},
		{"split", "s = 'a,' * 7000000\nl = []\nfor i in range(1 << 30):\n    l.append(s.split(','))\n"},
		{"split by a kept method", "f = ('a,' * 7000000).split\nfor i in range(1 << 30):\n    f(',')\n"},
		{"codepoints", "s = 'a' * 15000000\nl = []\nfor i in range(1 << 30):\n    l.append(list(s.codepoints()))\n"},
		{"search", "s = 'a' * 15000000\nfor i in range(1 << 30):\n    s.count('ab')\n"},
		{"items", "d = {i: i for i in range(1000000)}\nl = []\nfor i in range(1 << 30):\n    l.append(d.items())\n"},
		{"insert", "l = [0] * 15000000\nfor i in range(1 << 30):\n    l.insert(0, 1)\n    l.pop(0)\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			debug.FreeOSMemory()
			stop, most := make(chan bool), make(chan uint64)
			go func() {
				var peak uint64
				for {
					select {
					case <-stop:
						most <- peak
						return
					case <-time.After(5 * time.Millisecond):
						peak = max(peak, resident())
					}
				}
			}()
			f := newFixture(t)
			start := time.Now()
			_, list := f.exec(test.src)
			took := time.Since(start)
			stop <- true
			peak := <-most
			if len(list) != 1 || !strings.Contains(list[0].Summary, "too m") && !strings.Contains(list[0].Summary, "too large") {
				t.Errorf("got %v", list)
			}
			if peak > 1536<<20 || took > 5*time.Minute {
				t.Errorf("took %d MiB and %v", peak>>20, took)
			}
			t.Logf("%d MiB, %v: %v", peak>>20, took, list)
		})
	}
}

// resident is what the process has from the system and has not given back.
func resident() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
