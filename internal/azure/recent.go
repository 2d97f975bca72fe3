package azure

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/pattern"
)

// Resource Manager keeps what it knows in several regions, and a request may come to one
// that has not heard yet of what another was told a moment ago: a resource group that
// was just made is "not found". That ends by itself, so it is asked again; what really
// is not there is told at once.

// heardWithin is how long what is made may be unknown to some of Azure, and heardPause
// how far apart it is asked for at most.
const (
	heardWithin = 2 * time.Minute
	heardPause  = 2 * time.Second
)

// recent are the things that this run has written and not deleted since, by their
// lower-cased IDs, with when that was. Its zero value has none.
type recent struct {
	mu sync.Mutex
	at map[string]time.Time
}

// note remembers what a request has done that went well. What is below something that is
// deleted goes with it.
func (k *recent) note(r *http.Request, status int, now time.Time) {
	if status >= 300 || r.Method != http.MethodPut && r.Method != http.MethodDelete {
		return
	}
	id := targetID(r.URL.Path)
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.Method == http.MethodPut {
		if k.at == nil {
			k.at = map[string]time.Time{}
		}
		k.at[id] = now
		return
	}
	for other := range k.at {
		if other == id || strings.HasPrefix(other, id+"/") {
			delete(k.at, other)
		}
	}
}

// unheard reports whether an answer says that something is not there which this run has
// made a moment ago.
func (k *recent) unheard(r *http.Request, resp *http.Response, now time.Time) bool {
	id := absentID(r, resp)
	if id == "" {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	at, made := k.at[id]
	return made && now.Sub(at) < heardWithin
}

// absentID is the ID of what an answer says is not there, in small letters; of a part,
// as a subnet, that of what it is in. It is "" of all other answers.
func absentID(r *http.Request, resp *http.Response) string {
	if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusBadRequest {
		return ""
	}
	id := targetID(r.URL.Path)
	switch code, message := errorOf(resp); code {
	case "ResourceGroupNotFound":
		return firstWords(id, groupWords)
	case "ResourceNotFound", "NotFound":
		return id
	case "ParentResourceNotFound":
		return firstWords(id, resourceWords)
	case "InvalidResourceReference":
		return firstWords(strings.ToLower(anyID().FindString(message)), resourceWords)
	}
	return ""
}

// anyID finds the first ID in a message: that of what is not there.
var anyID = pattern.Of(`/subscriptions/[^\s'",;]+`)

// targetID is the ID of what a request is for, in small letters: what it has done to a
// resource, or is told of it, is no part of that.
func targetID(path string) string {
	id := strings.ToLower(strings.TrimSuffix(path, "/"))
	if strings.Count(id, "/")%2 != 0 {
		id = id[:strings.LastIndexByte(id, '/')]
	}
	return id
}

// How many words an ID has, of a resource group and of a resource in it:
// /subscriptions/ID/resourceGroups/NAME/providers/NAMESPACE/TYPE/NAME.
const groupWords, resourceWords = 4, 8

// firstWords is the beginning of an ID: the ID of what it is in.
func firstWords(id string, n int) string {
	words := strings.SplitAfterN(id, "/", n+2) // the first is the slash
	return strings.TrimSuffix(strings.Join(words[:min(n+1, len(words))], ""), "/")
}
