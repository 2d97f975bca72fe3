package testengine

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// The test images. All hold one static program, whose modes are told in internal/testengine/image. Arguments of a
// container replace the mode: `docker service create swarmtest/web:1 exit 3`.
const (
	Web1   = "swarmtest/web:1"    // HTTP on $PORT (8080): "version 1 on HOSTNAME"
	Web2   = "swarmtest/web:2"    // the same, version 2
	Web3   = "swarmtest/web:3"    // the same, version 3
	Sleep  = "swarmtest/sleep:1"  // does nothing, and stops at once when told to
	Fail   = "swarmtest/fail:1"   // prints a MariaDB's complaint on stderr and exits with 1
	Health = "swarmtest/health:1" // web with a health check; unhealthy while $UNHEALTHY is set
)

const imagesFile = "images.tar"

// Archive is the path of the test images, for `docker load` on engines that are not this package's.
func Archive(tb testing.TB) string {
	tb.Helper()
	dir, err := build(context.Background(), os.Stderr)
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, imagesFile)
}

type imageConfig struct {
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Healthcheck  map[string]any      `json:",omitempty"`
}

func images() map[string]imageConfig {
	image := func(version string, cmd ...string) imageConfig {
		return imageConfig{Env: []string{"PATH=/", "VERSION=" + version}, Entrypoint: []string{"/swarmtest"}, Cmd: cmd}
	}
	health := image("1", "web")
	health.Healthcheck = map[string]any{"Test": []string{"CMD", "/swarmtest", "health"}, "Interval": 500e6, "Timeout": 2e9, "Retries": 2}
	return map[string]imageConfig{
		Web1: image("1", "web"), Web2: image("2", "web"), Web3: image("3", "web"),
		Sleep: image("1", "sleep"), Fail: image("1", "exit", "1"), Health: health,
	}
}

// buildImages makes an archive for `docker load`: one layer with the program, shared by all images.
func buildImages(ctx context.Context, source, dir string, log io.Writer) error {
	path := filepath.Join(dir, imagesFile)
	if exists(path) {
		return nil
	}
	fmt.Fprintln(log, "building the test images")
	program := filepath.Join(dir, "swarmtest")
	if err := goBuild(ctx, filepath.Join(source, "image"), program, "-ldflags=-s -w", "."); err != nil {
		return err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	archive, err := imageArchive(content)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".part", archive, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func imageArchive(program []byte) ([]byte, error) {
	layer, err := tarOf(map[string][]byte{"swarmtest": program}, "swarmtest")
	if err != nil {
		return nil, err
	}
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	files, order := map[string][]byte{"layer.tar": layer}, []string{"layer.tar"}
	var manifest []entry
	for _, name := range []string{Web1, Web2, Web3, Sleep, Fail, Health} {
		config, err := json.Marshal(map[string]any{
			"architecture": runtime.GOARCH,
			"os":           "linux",
			"config":       images()[name],
			"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
		})
		if err != nil {
			return nil, err
		}
		file := fmt.Sprintf("%x.json", sha256.Sum256(config))
		if files[file] == nil {
			files[file], order = config, append(order, file)
		}
		manifest = append(manifest, entry{file, []string{name}, []string{"layer.tar"}})
	}
	if files["manifest.json"], err = json.Marshal(manifest); err != nil {
		return nil, err
	}
	return tarOf(files, append(order, "manifest.json")...)
}

func tarOf(files map[string][]byte, order ...string) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range order {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}
