package testengine

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// imageFormat counts the ways in which images were made of packages: others are not taken from the cache.
const imageFormat = 3

// merged are the folders that Debian has in /usr.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// useless is what no container of a test reads: documentation, and what only the installation of packages runs, which in
// Debian is Perl.
var useless = []string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/", "/perl", "/libperl"}

// build writes the image of a folder of packages, moved into place in one step.
func (p PackageImage) build(ctx context.Context, debs, to string) error {
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("apt brought no packages of %s: %v", strings.Join(p.Packages, ", "), err)
	}
	layer, err := os.Create(filepath.Join(debs, "layer.tar"))
	if err != nil {
		return err
	}
	defer layer.Close()
	sum := sha256.New()
	l := &layerWriter{tar: tar.NewWriter(io.MultiWriter(layer, sum)), seen: map[string]bool{}, without: slices.Concat(p.Without, useless)}
	if err := l.system(p); err != nil {
		return err
	}
	for _, deb := range files {
		if err := l.unpack(ctx, deb); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(deb), err)
		}
	}
	if err := l.tar.Close(); err != nil {
		return err
	}
	part := to + ".part"
	if err := p.write(part, layer, fmt.Sprintf("sha256:%x", sum.Sum(nil))); err != nil {
		return err
	}
	return os.Rename(part, to)
}

// write makes the archive that `docker load` reads.
func (p PackageImage) write(path string, layer *os.File, digest string) error {
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       imageConfig{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Entrypoint: p.Entrypoint, Cmd: p.Cmd},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{digest}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{p.Name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	w := tar.NewWriter(out)
	for _, f := range []struct {
		name    string
		content []byte
	}{{"config.json", config}, {"manifest.json", manifest}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content))}); err != nil {
			return err
		}
		if _, err := w.Write(f.content); err != nil {
			return err
		}
	}
	size, err := layer.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := layer.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: "layer.tar", Mode: 0o644, Size: size}); err != nil {
		return err
	}
	if _, err := io.Copy(w, layer); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}

// A layerWriter joins packages into one tree.
type layerWriter struct {
	tar     *tar.Writer
	seen    map[string]bool
	without []string // parts of paths
}

// system writes what is in every tree, and what the image says.
func (l *layerWriter) system(p PackageImage) error {
	passwd, group := "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n", "root:x:0:\nnogroup:x:65534:\n"
	for i, a := range p.Accounts {
		passwd += fmt.Sprintf("%s:x:%d:%d::/:/bin/sh\n", a, 100+i, 100+i)
		group += fmt.Sprintf("%s:x:%d:\n", a, 100+i)
	}
	names := "hosts: files dns\n"
	headers := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "usr/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "var/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "root/", Mode: 0o700},
		{Typeflag: tar.TypeDir, Name: "run/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeDir, Name: "var/tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeSymlink, Name: "var/run", Linkname: "/run", Mode: 0o777},
		{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644, Size: int64(len(passwd))},
		{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644, Size: int64(len(group))},
		{Typeflag: tar.TypeReg, Name: "etc/nsswitch.conf", Mode: 0o644, Size: int64(len(names))},
	}
	for _, dir := range merged {
		headers = append(headers,
			&tar.Header{Typeflag: tar.TypeDir, Name: "usr/" + dir + "/", Mode: 0o755},
			&tar.Header{Typeflag: tar.TypeSymlink, Name: dir, Linkname: "usr/" + dir, Mode: 0o777})
	}
	for _, link := range p.Links {
		name, target, ok := strings.Cut(link, " -> ")
		if !ok {
			return fmt.Errorf("link %q is not of the form NAME -> TARGET", link)
		}
		headers = append(headers, &tar.Header{Typeflag: tar.TypeSymlink, Name: strings.TrimPrefix(name, "/"), Linkname: target, Mode: 0o777})
	}
	content := map[string]string{"etc/passwd": passwd, "etc/group": group, "etc/nsswitch.conf": names}
	for _, h := range headers {
		if err := l.add(h, strings.NewReader(content[h.Name])); err != nil {
			return err
		}
	}
	return nil
}

// unpack adds what is in a package.
func (l *layerWriter) unpack(ctx context.Context, deb string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = l.join(tar.NewReader(out))
	if err != nil {
		_ = cmd.Process.Kill() // it would wait for its reader
	}
	if end := cmd.Wait(); err == nil {
		err = end
	}
	return err
}

func (l *layerWriter) join(r *tar.Reader) error {
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.add(h, r); err != nil {
			return err
		}
	}
}

// add writes a file under the name that it has where /bin is in /usr, unless it is there.
func (l *layerWriter) add(h *tar.Header, content io.Reader) error {
	name := usr(h.Name)
	if h.Typeflag == tar.TypeLink {
		h.Linkname = usr(h.Linkname)
	}
	if name == "." || l.seen[name] || slices.ContainsFunc(l.without, func(part string) bool { return strings.Contains("/"+name+"/", part) }) {
		return nil
	}
	l.seen[name] = true
	h.Name = name
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	h.Uname, h.Gname, h.Format = "", "", tar.FormatUnknown
	if err := l.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.CopyN(l.tar, content, h.Size)
	return err
}

func usr(name string) string {
	name = path.Clean(strings.TrimPrefix(name, "./"))
	first, _, _ := strings.Cut(name, "/")
	for _, dir := range merged {
		if first == dir && name != dir {
			return "usr/" + name
		}
	}
	return name
}
