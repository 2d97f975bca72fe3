package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// request is one step of a story that a real engine and a simulated one are told. READY
// waits until a container's program has begun so many times: it does not hear before that
// it is to stop. A simulated one is ready when it is started.
type request struct {
	method, path, body string
}

// story is what is asked of both engines, in this order. A step may use what the
// ones before it made.
var story = []request{
	// Images.
	{"GET", "/images/json", ""},
	{"GET", "/images/swarmtest/web:1/json", ""},
	{"GET", "/images/nope/json", ""},
	{"GET", "/images/NOPE/json", ""},
	{"POST", "/images/swarmtest/web:1/tag?repo=other&tag=9", ""},
	{"POST", "/images/nope/tag?repo=other&tag=9", ""},
	{"GET", `/images/json?filters={"reference":["other"]}`, ""},
	{"GET", `/images/json?filters={"nope":["x"]}`, ""},
	{"GET", "/images/other:9/history", ""},
	{"DELETE", "/images/other:9", ""},
	{"DELETE", "/images/other:9", ""},
	{"DELETE", "/images/nope", ""},

	// Volumes.
	{"POST", "/volumes/create", `{"Name":"data","Labels":{"a":"b"}}`},
	{"POST", "/volumes/create", `{"Name":"data","Labels":{"a":"c"}}`},
	{"POST", "/volumes/create", `{"Name":"x"}`},
	{"POST", "/volumes/create", `{"Name":"-x"}`},
	{"POST", "/volumes/create", `{"Name":"far","Driver":"nope"}`},
	{"POST", "/volumes/create", `{"Name":"odd","DriverOpts":{"nope":"1"}}`},
	{"POST", "/volumes/create", `{"Name":"mem","DriverOpts":{"type":"tmpfs","device":"tmpfs"}}`},
	{"GET", "/volumes", ""},
	{"GET", "/volumes/data", ""},
	{"GET", "/volumes/nope", ""},
	{"DELETE", "/volumes/nope", ""},
	{"DELETE", "/volumes/nope?force=1", ""},
	{"GET", `/volumes?filters={"dangling":["true"],"name":["dat"]}`, ""},
	{"GET", `/volumes?filters={"nope":["x"]}`, ""},

	// Networks.
	{"GET", "/networks", ""},
	{"POST", "/networks/create", `{"Name":"back","IPAM":{"Config":[{"Subnet":"10.99.0.0/24","Gateway":"10.99.0.1"}]},"Labels":{"a":"b"}}`},
	{"POST", "/networks/create", `{"Name":"back"}`},
	{"POST", "/networks/create", `{"Name":"bridge"}`},
	{"POST", "/networks/create", `{"Name":""}`},
	{"POST", "/networks/create", `{"Name":"over","IPAM":{"Config":[{"Subnet":"10.99.0.0/25"}]}}`},
	{"POST", "/networks/create", `{"Name":"bad","IPAM":{"Config":[{"Subnet":"10.98.0.1/24"}]}}`},
	{"POST", "/networks/create", `{"Name":"bad","Driver":"host"}`},
	{"POST", "/networks/create", `{"Name":"bad","Driver":"overlay"}`},
	{"POST", "/networks/create", `{"Name":"six","EnableIPv6":true,"Internal":true,"IPAM":{"Config":[{"Subnet":"10.97.0.0/24"},{"Subnet":"fd00:97::/64"}]}}`},
	{"GET", "/networks/back", ""},
	{"GET", "/networks/six", ""},
	{"GET", "/networks/none", ""},
	{"GET", "/networks/nope", ""},
	{"GET", `/networks?filters={"name":["back"]}`, ""},
	{"GET", `/networks?filters={"nope":["back"]}`, ""},
	{"DELETE", "/networks/nope", ""},
	{"DELETE", "/networks/host", ""},
	{"DELETE", "/networks/six", ""},

	// Containers that cannot be.
	{"POST", "/containers/create?name=no", `{"Image":"nope"}`},
	{"POST", "/containers/create?name=-", `{"Image":"swarmtest/web:1"}`},
	{"POST", "/containers/create?name=no", `{}`},
	{"POST", "/containers/create?name=no", ``},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","Env":["=x"]}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","WorkingDir":"rel"}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","StopSignal":"SIGNOPE"}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Memory":1000}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"RestartPolicy":{"Name":"sometimes"}}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"RestartPolicy":{"Name":"always","MaximumRetryCount":3}}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"PortBindings":{"x/tcp":[{}]}}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"x"}]}}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Mounts":[{"Type":"nope","Target":"/x"}]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Mounts":[{"Type":"volume","Target":"rel"}]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Mounts":[{"Type":"volume","Source":"data","Target":"/"}]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Mounts":[{"Type":"bind","Source":"/nope/nope","Target":"/x"}]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Mounts":[{"Type":"tmpfs","Source":"x","Target":"/x"}]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Binds":["data:/x","data:/x"]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Binds":["data:rel"]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Binds":["data:/x:nope"]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"Runtime":"nope"}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"ExtraHosts":["nope"]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"CapAdd":["NOPE"]}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","HostConfig":{"NetworkMode":"container:nope"}}`},
	{"POST", "/containers/create?name=no", `{"Image":"swarmtest/web:1","Healthcheck":{"Test":["CMD","x"],"Interval":1}}`},

	// A container's life.
	{"POST", "/containers/create?name=web", `{"Image":"swarmtest/web:1","Labels":{"l":"1"},"Env":["A=B"],"ExposedPorts":{"8080/tcp":{},"9/udp":{}},"HostConfig":{"PortBindings":{"8080/tcp":[{"HostPort":"18080"}]},"Binds":["data:/data"],"NetworkMode":"back","Memory":67108864,"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":2}},"NetworkingConfig":{"EndpointsConfig":{"back":{"Aliases":["www"],"IPAMConfig":{"IPv4Address":"10.99.0.77"}}}}}`},
	{"POST", "/containers/create?name=web", `{"Image":"swarmtest/web:1"}`},
	{"GET", "/containers/web/json", ""},
	{"GET", "/containers/json", ""},
	{"GET", "/containers/json?all=1", ""},
	{"POST", "/containers/web/start", ""},
	{"POST", "/containers/web/start", ""},
	{"GET", "/containers/web/json", ""},
	{"GET", "/containers/json", ""},
	{"GET", `/containers/json?filters={"label":["l=1"],"publish":["18080"],"network":["back"],"volume":["data"],"status":["running"]}`, ""},
	{"GET", `/containers/json?filters={"label":["l=2"]}`, ""},
	{"GET", `/containers/json?filters={"nope":["x"]}`, ""},
	{"GET", `/containers/json?filters={"status":["nope"]}`, ""},
	{"GET", `/containers/json?filters={"exited":["x"]}`, ""},
	{"GET", "/networks/back", ""},
	{"DELETE", "/networks/back", ""},
	{"DELETE", "/volumes/data", ""},
	{"DELETE", "/images/swarmtest/web:1", ""},
	{"DELETE", "/containers/web", ""},
	{"POST", "/containers/create?name=two", `{"Image":"swarmtest/web:1","ExposedPorts":{"8080/tcp":{}},"HostConfig":{"PortBindings":{"8080/tcp":[{"HostPort":"18080"}]}}}`},
	{"POST", "/containers/two/start", ""},
	{"GET", "/containers/two/json", ""},
	{"DELETE", "/containers/two", ""},
	{"POST", "/containers/create?name=two", `{"Image":"swarmtest/web:1"}`},
	{"POST", "/containers/web/pause", ""},
	{"POST", "/containers/web/pause", ""},
	{"POST", "/containers/web/start", ""},
	{"GET", "/containers/json", ""},
	{"DELETE", "/containers/web", ""},
	{"POST", "/containers/web/unpause", ""},
	{"POST", "/containers/web/unpause", ""},
	{"POST", "/containers/web/rename?name=two", ""},
	{"POST", "/containers/web/rename?name=web", ""},
	{"POST", "/containers/web/rename?name=www", ""},
	{"POST", "/containers/www/update", `{"Memory":134217728,"MemorySwap":268435456,"RestartPolicy":{"Name":"always"}}`},
	{"POST", "/containers/www/update", `{"Memory":100}`},
	{"POST", "/networks/bridge/connect", `{"Container":"www"}`},
	{"POST", "/networks/host/connect", `{"Container":"www"}`},
	{"POST", "/networks/nope/connect", `{"Container":"www"}`},
	{"POST", "/networks/back/connect", `{"Container":"www"}`},
	{"POST", "/networks/back/connect", `{"Container":"nope"}`},
	{"GET", "/containers/www/json", ""},
	{"POST", "/networks/bridge/disconnect", `{"Container":"www"}`},
	{"POST", "/networks/bridge/disconnect", `{"Container":"www"}`},
	{"POST", "/containers/www/kill?signal=NOPE", ""},
	{"POST", "/containers/www/kill?signal=SIGUSR9", ""},
	{"READY", "/containers/www", "1"},
	{"POST", "/containers/www/stop", ""},
	{"POST", "/containers/www/stop", ""},
	{"POST", "/containers/www/kill", ""},
	{"POST", "/containers/www/pause", ""},
	{"POST", "/containers/www/wait", ""},
	{"GET", "/containers/www/json", ""},
	{"GET", "/containers/www/logs", ""},
	{"POST", "/containers/www/restart", ""},
	{"POST", "/containers/www/kill", ""},
	{"POST", "/containers/www/wait", ""},
	{"GET", "/containers/www/json", ""},
	{"DELETE", "/containers/www?v=1", ""},
	{"DELETE", "/containers/www", ""},
	{"GET", "/containers/nope/json", ""},
	{"POST", "/containers/nope/start", ""},
	{"GET", "/containers/nope/logs?stdout=1", ""},
	{"POST", "/containers/nope/exec", `{"Cmd":["x"]}`},
	{"GET", "/exec/nope/json", ""},

	// One that ends by itself, and is not restarted.
	{"POST", "/containers/create?name=job", `{"Image":"swarmtest/fail:1","Cmd":["exit","3"],"HostConfig":{"NetworkMode":"none"}}`},
	{"POST", "/containers/job/start", ""},
	{"POST", "/containers/job/wait", ""},
	{"GET", "/containers/job/json", ""},
	{"GET", `/containers/json?filters={"exited":["3"]}`, ""},
	{"DELETE", "/containers/job?force=1", ""},
	{"POST", "/containers/create?name=temp", `{"Image":"swarmtest/fail:1","Cmd":["exit","0"],"HostConfig":{"AutoRemove":true,"NetworkMode":"host"}}`},
	{"GET", "/containers/temp/json", ""},
	{"DELETE", "/containers/temp", ""},
	{"POST", "/containers/create?name=joined", `{"Image":"swarmtest/web:1","HostConfig":{"NetworkMode":"container:nope"}}`},
	{"POST", "/containers/joined/start", ""},
	{"POST", "/containers/create?name=lost", `{"Image":"swarmtest/web:1","HostConfig":{"NetworkMode":"nope"}}`},
	{"GET", "/containers/lost/json", ""},
	{"POST", "/containers/lost/start", ""},
	{"GET", "/containers/lost/json", ""},
	{"POST", "/containers/create?name=fixed", `{"Image":"swarmtest/web:1","NetworkingConfig":{"EndpointsConfig":{"bridge":{"IPAMConfig":{"IPv4Address":"172.17.0.9"}}}}}`},
	{"POST", "/containers/create?name=aliased", `{"Image":"swarmtest/web:1","NetworkingConfig":{"EndpointsConfig":{"bridge":{"Aliases":["x"]}}}}`},
	{"POST", "/containers/create?name=outside", `{"Image":"swarmtest/web:1","HostConfig":{"NetworkMode":"back"},"NetworkingConfig":{"EndpointsConfig":{"back":{"IPAMConfig":{"IPv4Address":"10.55.0.9"}}}}}`},
	{"POST", "/containers/outside/start", ""},
	{"POST", "/containers/create?name=linked", `{"Image":"swarmtest/web:1","HostConfig":{"Links":["two:t"]}}`},
	{"GET", "/containers/linked/json", ""},
	{"POST", "/containers/create?name=mislinked", `{"Image":"swarmtest/web:1","HostConfig":{"Links":["nope:t"]}}`},
	{"POST", "/containers/create?name=sick", `{"Image":"swarmtest/health:1"}`},
	{"GET", "/containers/sick/json", ""},
	{"POST", "/containers/create?name=many", `{"Image":"swarmtest/sleep:1","HostConfig":{"Mounts":[{"Type":"volume","Target":"/anon"},{"Type":"volume","Source":"named","Target":"/named","ReadOnly":true,"VolumeOptions":{"Labels":{"a":"b"}}},{"Type":"tmpfs","Target":"/tmp","TmpfsOptions":{"SizeBytes":1000000}},{"Type":"bind","Source":"/etc","Target":"/host"}],"Privileged":true,"NanoCpus":1000000000,"Dns":["1.1.1.1"],"ExtraHosts":["a:1.2.3.4"]}}`},
	{"GET", "/containers/many/json", ""},
	{"GET", "/containers/json?all=1&size=1", ""},
	{"GET", `/containers/json?all=1&filters={"ancestor":["swarmtest/health:1"]}`, ""},
	{"GET", `/containers/json?all=1&filters={"before":["many"],"name":["s"]}`, ""},
	{"GET", `/containers/json?all=1&limit=1`, ""},
	{"GET", "/volumes/named", ""},
	{"DELETE", "/containers/many?v=1", ""},
	{"GET", "/volumes", ""},

	// What is left goes.
	{"DELETE", "/networks/back", ""},
	{"POST", "/volumes/prune", ""},
	{"POST", `/volumes/prune?filters={"all":["true"]}`, ""},
	{"POST", "/networks/prune", ""},
	{"POST", "/containers/prune", ""},
	{"POST", `/containers/prune?filters={"nope":["1"]}`, ""},

	// And what never was.
	{"GET", "/nope", ""},
	{"GET", "/v9.99/info", ""},
	{"GET", "/v1.1/info", ""},
	{"GET", "/plugins", ""},
	{"GET", "/plugins/nope/json", ""},
	{"POST", "/build/prune", ""},
	{"GET", "/events?since=5&until=1", ""},
}

// teller asks one engine.
type teller struct {
	t         *testing.T
	http      *http.Client
	processes bool // its containers have some
}

func tell(t *testing.T, host string) teller {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(host, "unix://"))
	}
	return teller{t, &http.Client{Transport: &http.Transport{DialContext: dial}}, false}
}

// ask returns the status, and the masked body.
func (c teller) ask(r request) (status int, body any) {
	c.t.Helper()
	if r.method == "READY" {
		c.ready(r.path, r.body)
		return 0, nil
	}
	req, err := http.NewRequestWithContext(c.t.Context(), r.method, "http://docker"+strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D").Replace(r.path), strings.NewReader(r.body))
	if err != nil {
		c.t.Fatal(err)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return resp.StatusCode, maskText(string(raw))
	}
	return resp.StatusCode, mask("", body)
}

// ready waits for the lines that a container's program writes when it begins.
func (c teller) ready(container, times string) {
	c.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); c.processes; time.Sleep(20 * time.Millisecond) {
		resp, err := c.http.Get("http://docker" + container + "/logs?stdout=1")
		if err != nil {
			c.t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			c.t.Fatal(err)
		case strconv.Itoa(bytes.Count(raw, []byte(" listens on "))) == times:
			return
		case time.Now().After(deadline):
			c.t.Fatalf("%s has not begun %s times: %q", container, times, raw)
		}
	}
}

// machine is what differs from computer to computer, or by chance: only whether
// it is there is compared.
var machine = []string{
	"Pid", "Size", "VirtualSize", "SizeRw", "SizeRootFs", "SharedSize", "GraphDriver", "MacAddress", "SandboxKey", "ResolvConfPath",
	"HostnamePath", "HostsPath", "LogPath", "MaskedPaths", "ReadonlyPaths", "CgroupnsMode", "Created", "CreatedAt", "Status",
	"SpaceReclaimed", "AppArmorProfile", "LastTagTime", "SecurityOpt", "OomKillDisable", "Peers",
	"execDuration", // in whole seconds
}

var (
	longID   = regexp.MustCompile(`[0-9a-f]{64}`)
	shortID  = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
	instant  = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`)
	dataRoot = regexp.MustCompile(`/[^ "]*/volumes/`)
)

func maskText(s string) string {
	s = strings.ReplaceAll(s, "Bind for :::", "Bind for 0.0.0.0:") // whichever a real engine took first
	s = dataRoot.ReplaceAllString(s, "/var/lib/docker/volumes/")
	return instant.ReplaceAllString(shortID.ReplaceAllString(longID.ReplaceAllString(s, "ID"), "SHORT"), "TIME")
}

func mask(key string, v any) any {
	if slices.Contains(machine, key) {
		if v == nil || reflect.ValueOf(v).IsZero() {
			return "none"
		}
		if s, ok := v.(string); !ok || key != "Status" || strings.Contains(s, " ") {
			return "some"
		}
	}
	switch v := v.(type) {
	case string:
		return maskText(v)
	case []any:
		for i := range v {
			v[i] = mask("", v[i])
		}
		if key == "" || key == "Mounts" || key == "Links" || key == "Ports" || key == "Volumes" || key == "VolumesDeleted" { // lists of objects have no order of their own
			slices.SortFunc(v, func(a, b any) int { return strings.Compare(text(a), text(b)) })
		}
		return v
	case map[string]any:
		masked := map[string]any{}
		for k, x := range v {
			masked[maskText(k)] = mask(k, x)
		}
		return masked
	}
	return v
}

func text(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSpace(b.String())
}

// load gives an engine the test images.
func load(t *testing.T, c teller) {
	t.Helper()
	f, err := os.Open(testengine.Archive(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	resp, err := c.http.Post("http://docker/images/load?quiet=1", "application/x-tar", f)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !bytes.Contains(raw, []byte("Loaded image")) {
		t.Fatalf("load: %d %s", resp.StatusCode, raw)
	}
}

// TestDifferential tells a real engine and a simulated one the same story. They
// must answer the same.
func TestDifferential(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28, testengine.Hostname("m1"))
	cfg := config("m1")
	cfg.Exists = func(path string) bool { return !strings.HasPrefix(path, "/nope") }
	real, lab := tell(t, e.Host), tell(t, serve(t, cfg).host)
	real.processes = true
	load(t, real)
	load(t, lab)
	if want, got := real.events(), lab.events(); got != want {
		t.Errorf("events\n%s\nreal:\n%s\nlab:\n%s", difference(want, got), want, got)
	}
	for i, r := range story {
		name := fmt.Sprintf("%d %s %s", i, r.method, r.path)
		wantStatus, want := real.ask(r)
		status, got := lab.ask(r)
		if status != wantStatus || text(got) != text(want) {
			t.Errorf("%s %s\nreal %d, lab %d\n%s", name, r.body, wantStatus, status, difference(text(want), text(got)))
		}
	}
}

// told is a part of a life, for its events.
var told = []request{
	{"POST", "/networks/create", `{"Name":"evnet"}`},
	{"POST", "/containers/create?name=ev", `{"Image":"swarmtest/web:1","Labels":{"l":"1"},"HostConfig":{"Binds":["evdata:/data"],"NetworkMode":"evnet"}}`},
	{"POST", "/containers/ev/start", ""},
	{"POST", "/containers/ev/pause", ""},
	{"POST", "/containers/ev/unpause", ""},
	{"POST", "/containers/ev/rename?name=ev2", ""},
	{"POST", "/containers/ev2/update", `{"CpuShares":512}`},
	{"POST", "/networks/bridge/connect", `{"Container":"ev2"}`},
	{"POST", "/networks/bridge/disconnect", `{"Container":"ev2"}`},
	{"READY", "/containers/ev2", "1"},
	{"POST", "/containers/ev2/restart?t=60", ""},
	{"READY", "/containers/ev2", "2"},
	{"POST", "/containers/ev2/stop?t=60", ""},
	{"POST", "/containers/ev2/start", ""},
	{"POST", "/containers/ev2/kill", ""},
	{"POST", "/containers/ev2/wait", ""},
	{"DELETE", "/containers/ev2", ""},
	{"POST", "/images/swarmtest/web:1/tag?repo=evtag&tag=1", ""},
	{"DELETE", "/images/evtag:1", ""},
	{"DELETE", "/networks/evnet", ""},
	{"DELETE", "/volumes/evdata", ""},
	{"POST", "/volumes/prune", ""},
}

// events are what an engine tells meanwhile, one a line.
func (c teller) events() string {
	c.t.Helper()
	since := time.Now()
	for _, r := range told {
		if status, body := c.ask(r); status >= 400 {
			c.t.Fatalf("%s %s: %d %v", r.method, r.path, status, body)
		}
	}
	resp, err := c.http.Get(fmt.Sprintf("http://docker/events?since=%d.%09d&until=%d", since.Unix(), since.Nanosecond(), time.Now().Unix()+1))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var lines []string
	for dec := json.NewDecoder(resp.Body); ; {
		var m map[string]any
		if dec.Decode(&m) != nil {
			break
		}
		delete(m, "time")
		delete(m, "timeNano")
		raw, err := json.Marshal(mask("", m))
		if err != nil {
			c.t.Fatal(err)
		}
		lines = append(lines, string(raw))
		// A real engine tells the end of a container and that it was stopped in either order.
		if n := len(lines); n > 1 && strings.HasPrefix(lines[n-1], `{"Action":"die"`) && strings.HasPrefix(lines[n-2], `{"Action":"stop"`) {
			lines[n-1], lines[n-2] = lines[n-2], lines[n-1]
		}
	}
	return strings.Join(lines, "\n")
}

// difference is the lines that only one of two texts has.
func difference(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, l := range w {
		if !slices.Contains(g, l) {
			b.WriteString("  real: " + strings.TrimSpace(l) + "\n")
		}
	}
	for _, l := range g {
		if !slices.Contains(w, l) {
			b.WriteString("  lab:  " + strings.TrimSpace(l) + "\n")
		}
	}
	if b.Len() == 0 {
		return "  the order, or how often\n  real: " + want + "\n  lab:  " + got
	}
	return b.String()
}
