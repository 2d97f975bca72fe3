package conformance

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
)

// A testCase is one question to a swarm. Cases of a list may run at the same time: each uses names of its own, and removes
// what it made.
type testCase struct {
	name string
	run  func(c *scene)
}

// A scene is a case being run: the test, the hosts, and which of them is asked.
type scene struct {
	*testing.T
	backend backend
	hosts   map[string]*host
	at      *host
	prefix  string        // of names
	pools   *atomic.Int32 // that networks have had
}

// play runs cases, as many at a time as there are slots.
func play(t *testing.T, b backend, hosts map[string]*host, slots chan bool, cases []testCase) {
	var wg sync.WaitGroup
	var pools atomic.Int32
	for _, tc := range cases {
		slots <- true
		wg.Go(func() {
			defer func() { <-slots }()
			t.Run(tc.name, func(t *testing.T) {
				tc.run(&scene{T: t, backend: b, hosts: hosts, at: hosts["mgr"], prefix: slug(strings.SplitN(t.Name(), "/", 3)[2]), pools: &pools})
			})
		})
	}
	wg.Wait()
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// slug makes a case's name one for services, short enough for 63 characters with a word behind it.
func slug(name string) string {
	s := notName.ReplaceAllString(strings.ToLower(name), "-")
	return strings.Trim(s[:min(len(s), 48)], "-")
}

// named is a name that is this case's alone.
func (c *scene) named(word string) string { return c.prefix + "-" + word }

// on is the case with another host asked.
func (c *scene) on(name string) *scene {
	other := *c
	other.at = c.hosts[name]
	if other.at == nil {
		c.Fatalf("no host %s", name)
	}
	return &other
}

// old reports whether the engine is of release 20.10, where it differs from 28.5.
func (c *scene) old() bool { return c.backend.release == "20.10" }

// either is what 20.10 says, or what 28.5 says.
func (c *scene) either(old, now string) string {
	if c.old() {
		return old
	}
	return now
}

// code is either of two statuses.
func (c *scene) code(old, now int) int {
	if c.old() {
		return old
	}
	return now
}

// ask does a request and returns whatever comes back, but that a swarm is between two leaders: with a second manager
// that a busy computer is slow to run, the first steps down now and then.
func (c *scene) ask(method, path string, body any) *answer {
	c.Helper()
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		a, err := c.at.ask(c.Context(), method, path, body)
		if err != nil {
			c.Fatalf("%s %s: %v", method, path, err)
		}
		if !a.leaderless() || time.Since(begun) > patience {
			return a
		}
	}
}

// ok does a request that has to be answered with a status, and decodes the answer into out unless that is nil.
func (c *scene) ok(status int, method, path string, body, out any) {
	c.Helper()
	a := c.ask(method, path, body)
	if a.status != status {
		c.Fatalf("%s %s: got %s, want %d", method, path, a, status)
	}
	c.decode(a.body, out)
}

// get is ok for reading.
func (c *scene) get(path string, out any) {
	c.Helper()
	c.ok(200, "GET", path, nil, out)
}

// refused does a request that has to be answered with an error: its status, and its text, in which * stands for anything.
func (c *scene) refused(status int, text, method, path string, body any) {
	c.Helper()
	c.isRefused(status, text, c.ask(method, path, body))
}

func (c *scene) isRefused(status int, text string, a *answer) {
	c.Helper()
	if a.status != status || !matches(text, a.message) {
		c.Errorf("got %s\nwant %d %s", a, status, text)
	}
}

func (c *scene) decode(body []byte, out any) {
	c.Helper()
	if out == nil {
		return
	}
	if err := json.Unmarshal(body, out); err != nil {
		c.Fatalf("%v in %s", err, body)
	}
}

func matches(pattern, text string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `(?s:.*)`)
	return regexp.MustCompile("^" + quoted + "$").MatchString(text)
}

// rpc is how an error of SwarmKit reads.
func rpc(code, text string) string { return "rpc error: code = " + code + " desc = " + text }

// filter is a query with filters: pairs of a name and a value.
func filter(pairs ...string) string {
	args := filters.NewArgs()
	for i := 0; i < len(pairs); i += 2 {
		args.Add(pairs[i], pairs[i+1])
	}
	text, _ := filters.ToJSON(args)
	return "?filters=" + url.QueryEscape(text)
}

// patience is how long a state may take to come. It is generous: many tests may share this computer.
const patience = 5 * time.Minute

// wait asks until the answer is "": the answer tells what is still missing.
func (c *scene) wait(missing func() string) {
	c.Helper()
	var last string
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(100 * time.Millisecond) {
		if last = missing(); last == "" {
			return
		}
	}
	c.Fatalf("after %s: %s", patience, last)
}

// same compares two values by their JSON.
func (c *scene) same(what string, got, want any) {
	c.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		c.Errorf("%s\n got %s\nwant %s", what, g, w)
	}
}
