package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/value"
)

// daemonFile is where dockerd reads its settings.
const daemonFile = "/etc/docker/daemon.json"

// effect is what a change asks of an engine that runs.
type effect int

const (
	nothing effect = iota
	reloads
	restarts
)

// reloadable are the settings that dockerd takes on when it gets a SIGHUP, if
// they are there. One that is removed keeps its value until a restart: dockerd
// looks only at those that are set.
var reloadable = []string{
	"authorization-plugins", "debug", "default-runtime", "features", "insecure-registries", "labels", "live-restore",
	"max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "registry-mirrors", "runtimes", "shutdown-timeout",
}

// validates is the first engine that can check its settings without running.
const validates = 23

// keyEffect is what a setting asks for that is changed, or removed. An engine
// that cannot check the file beforehand shows by its start what is wrong with
// it, and is restarted.
func keyEffect(version, key string, stays bool) effect {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if !stays || err != nil || n < validates || !slices.Contains(reloadable, key) {
		return restarts
	}
	return reloads
}

// parseDaemon reads daemon.json. A file that is empty says nothing.
func parseDaemon(text []byte) (*value.Map, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return value.NewMap(nil), nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%s is damaged: %s", daemonFile, jsonError(text, err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is damaged: something follows its last brace", daemonFile)
	}
	return value.FromJSON(v).(*value.Map), nil
}

// jsonError says on which line an error of the JSON decoder is.
func jsonError(text []byte, err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends before its last brace"
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	before := text[:max(0, min(int(syntax.Offset)-1, len(text)))]
	return fmt.Sprintf("line %d: %v", 1+bytes.Count(before, []byte("\n")), err)
}

// mergeDaemon returns daemon.json with our settings in it, without those that we
// had set and set no more, and what that asks of an engine. Where nothing
// changes, the text is the one that was there.
func mergeDaemon(text []byte, ours *value.Map, drop []string, version string) ([]byte, effect, error) {
	was, err := parseDaemon(text)
	if err != nil {
		return nil, nothing, err
	}
	next := map[string]value.Value{}
	for _, e := range was.Entries {
		next[e.Key] = e.Value
	}
	does := nothing
	for i := range ours.Len() {
		e := ours.Entries[i]
		if old, there := next[e.Key]; there && value.Equal(old, value.Reveal(e.Value)) {
			continue
		}
		next[e.Key] = e.Value
		does = max(does, keyEffect(version, e.Key, true))
	}
	for _, key := range drop {
		_, declared := ours.Get(key)
		if _, there := next[key]; there && !declared {
			delete(next, key)
			does = restarts
		}
	}
	if does == nothing {
		return text, nothing, nil
	}
	plain := make(map[string]any, len(next))
	for _, key := range slices.Sorted(maps.Keys(next)) {
		if plain[key], err = value.ToJSON(next[key]); err != nil {
			return nil, nothing, fmt.Errorf("daemon[%q]: %w", key, err)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(plain); err != nil {
		return nil, nothing, err
	}
	return b.Bytes(), does, nil
}

// faultyKeys are the settings that dockerd's last words speak of.
func faultyKeys(said string, keys []string) []string {
	var out []string
	for _, k := range keys {
		if mentions(said, k) {
			out = append(out, k)
		}
	}
	return out
}

// mentions reports whether a text has a word, words being made of letters,
// digits and hyphens.
func mentions(text, word string) bool {
	for _, w := range strings.FieldsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	}) {
		if strings.TrimLeft(w, "-") == word {
			return true
		}
	}
	return false
}
