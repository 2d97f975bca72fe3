package engine

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	containertypes "github.com/docker/docker/api/types/container"
)

// What comes from outside never panics, and never hangs.

func FuzzLoad(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range map[string]string{
		"c.json":        `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:x"]}}`,
		"l.tar":         "x",
		"manifest.json": `[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l.tar"]}]`,
	} {
		_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600})
		_, _ = w.Write([]byte(content))
	}
	w.Close()
	f.Add(b.Bytes())
	f.Add([]byte("no archive"))
	f.Add([]byte{0x1f, 0x8b, 0})
	f.Fuzz(func(t *testing.T, archive []byte) {
		e, err := New(t.Context(), config("m1"))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		_ = e.loadArchive(bytes.NewReader(archive), discard{})
		for _, img := range e.images.images {
			if _, err := e.images.find(img.ID); err != nil {
				t.Errorf("loaded, and not found: %v", err)
			}
		}
	})
}

func FuzzCreate(f *testing.F) {
	f.Add(`{"Image":"nginx","Cmd":["sh","-c","echo a; sleep 1"]}`, `{"Binds":["a:/b:ro"],"PortBindings":{"80/tcp":[{"HostPort":"80-90"}]}}`)
	f.Add(`{"Image":"nginx","ExposedPorts":{"80/tcp":{},"x":{}}}`, `{"Mounts":[{"Type":"volume","Target":"/x"}],"PublishAllPorts":true}`)
	f.Add(`{"Image":"nginx"}`, `{"NetworkMode":"container:x","Links":["a:b"],"VolumesFrom":["x"]}`)
	f.Fuzz(func(t *testing.T, config, host string) {
		given := struct {
			Config containertypes.Config
			Host   containertypes.HostConfig
		}{}
		if json.Unmarshal([]byte(config), &given.Config) != nil || json.Unmarshal([]byte(host), &given.Host) != nil {
			t.Skip()
		}
		e := fuzzEngine(t)
		defer e.Close()
		if err := createAndStart(t, e, &given.Config, &given.Host); err == nil {
			inspect(t, e, "fuzzed")
		}
	})
}

func FuzzChanges(f *testing.F) {
	for _, s := range []string{`ENTRYPOINT ["/a"]`, "ENV A=1 B=\"2 3\"", "ENV A b c", "EXPOSE 80-90/tcp", "HEALTHCHECK --interval=1s CMD x", "HEALTHCHECK", "VOLUME [\"/a\"]", "LABEL x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, change string) {
		_ = applyChanges(&containertypes.Config{}, []string{change})
		simulate(append([]string{"sh", "-c"}, change), false)
		simulate(strings.Fields(change), true)
	})
}
