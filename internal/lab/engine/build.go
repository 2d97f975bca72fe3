//lint:file-ignore ST1005 errors are Docker's, word by word

package engine

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/server/httputils"
	"github.com/docker/docker/errdefs"
	"github.com/docker/docker/pkg/ioutils"
	"github.com/docker/docker/pkg/streamformatter"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// A build runs nothing: its image has the names and labels that are asked for, and
// what the last stage says of how it runs. It is the classic builder that is there,
// as BuildKit would run what it builds.

// maxDockerfile bounds what is read of one.
const maxDockerfile = 1 << 20

// build is `docker build`.
func (r imageRoutes) build(ctx context.Context, w http.ResponseWriter, req *http.Request, _ map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	if req.Form.Get("version") == "2" {
		return notSimulated("BuildKit")
	}
	w.Header().Set("Content-Type", "application/json")
	out := ioutils.NewWriteFlusher(w)
	defer out.Close()
	img, err := r.e.buildImage(req, out)
	if err != nil {
		_, _ = out.Write(streamformatter.FormatError(err))
		return nil
	}
	aux, err := json.Marshal(map[string]any{"aux": map[string]string{"ID": img.ID}})
	if err != nil {
		return err
	}
	_, _ = out.Write(append(aux, '\n'))
	_, _ = out.Write(stream("Successfully built " + short(img.ID) + "\n"))
	return nil
}

// buildImage makes the image that a Dockerfile describes.
func (e *Engine) buildImage(req *http.Request, out io.Writer) (*image, error) {
	name := req.Form.Get("dockerfile")
	if name == "" {
		name = "Dockerfile"
	}
	text, content, err := dockerfileIn(req.Body, name)
	if err != nil {
		return nil, err
	}
	given := map[string]*string{}
	if args := req.Form.Get("buildargs"); args != "" {
		if err := json.Unmarshal([]byte(args), &given); err != nil {
			return nil, errdefs.InvalidParameter(err)
		}
	}
	stages, err := stagesOf(text, given)
	if err != nil {
		return nil, err
	}
	last, err := targetOf(stages, req.Form.Get("target"))
	if err != nil {
		return nil, err
	}
	img := &image{Comment: "simulated: not executed"}
	img.Config.Architecture, img.Config.OS = architecture, "linux"
	if err := e.inherit(img, stages, last); err != nil {
		return nil, err
	}
	labels := map[string]string{}
	if given := req.Form.Get("labels"); given != "" {
		if err := json.Unmarshal([]byte(given), &labels); err != nil {
			return nil, errdefs.InvalidParameter(err)
		}
	}
	if img.Config.Config.Labels == nil && len(labels) > 0 {
		img.Config.Config.Labels = map[string]string{}
	}
	for k, v := range labels {
		img.Config.Config.Labels[k] = v
	}
	img.Config.RootFS.Type = "layers"
	img.Config.RootFS.DiffIDs = []string{digestOf("built of %s %s %s %s", content, text, req.Form.Get("target"), req.Form.Get("buildargs")).String()}
	for i, line := range stages[last].lines {
		_, _ = out.Write(stream(fmt.Sprintf("Step %d/%d : %s\n", i+1, len(stages[last].lines), line)))
		_, _ = out.Write(stream(" ---> simulated: not executed\n"))
	}
	now := time.Now().UTC()
	img.Config.Created = &now
	img.Config.History = []imageHistory{{Created: &now, CreatedBy: "simulated: not executed"}}
	img.seal()
	e.mu.Lock()
	defer e.mu.Unlock()
	img = e.addImage(img)
	for _, t := range req.Form["t"] {
		named, err := reference.ParseNormalizedNamed(t)
		if err != nil {
			return nil, errdefs.InvalidParameter(err)
		}
		e.tag(img, reference.TagNameOnly(named))
	}
	return img, nil
}

// dockerfileIn finds the Dockerfile in a context, and what stands for the rest.
func dockerfileIn(body io.Reader, name string) (text, content string, err error) {
	layer, err := plain(body)
	if err != nil {
		return "", "", errdefs.InvalidParameter(err)
	}
	found := false
	var files []string
	for tr := tar.NewReader(layer); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", "", errdefs.InvalidParameter(err)
		}
		files = append(files, fmt.Sprintf("%s %d %s", h.Name, h.Size, h.Linkname))
		if path.Clean("/"+h.Name) != path.Clean("/"+name) || h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(tr, maxDockerfile))
		if err != nil {
			return "", "", errdefs.InvalidParameter(err)
		}
		text, found = string(data), true
	}
	if !found {
		return "", "", invalid("Cannot locate specified Dockerfile: %s", name)
	}
	slices.Sort(files)
	return text, strings.Join(files, "\n"), nil
}

// stage is one FROM of a Dockerfile.
type stage struct {
	base, name string
	lines      []string // its instructions
}

// stagesOf reads a Dockerfile as far as it says stages. Comments are left out, and
// lines that go on put together. FROM knows the arguments before it, as they are
// given.
func stagesOf(text string, given map[string]*string) ([]stage, error) {
	var out []stage
	var args []string
	for _, line := range instructions(text) {
		word, rest, _ := strings.Cut(line, " ")
		if !strings.EqualFold(word, "FROM") {
			if len(out) == 0 {
				if !strings.EqualFold(word, "ARG") {
					return nil, invalid("no build stage in current context")
				}
				args = append(args, argsOf(rest, given)...)
				continue
			}
			out[len(out)-1].lines = append(out[len(out)-1].lines, line)
			continue
		}
		rest, _, err := shell.NewLex('\\').ProcessWord(rest, shell.EnvsFromSlice(args))
		if err != nil {
			return nil, errdefs.InvalidParameter(err)
		}
		words := slices.DeleteFunc(strings.Fields(rest), func(w string) bool { return strings.HasPrefix(w, "--") })
		if len(words) == 0 {
			return nil, invalid("FROM requires either one or three arguments")
		}
		s := stage{base: words[0], lines: []string{line}}
		if len(words) == 3 && strings.EqualFold(words[1], "AS") {
			s.name = words[2]
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, invalid("the Dockerfile (Dockerfile) cannot be empty")
	}
	return out, nil
}

// argsOf are the arguments of an ARG that have values, as NAME=VALUE.
func argsOf(line string, given map[string]*string) (out []string) {
	for _, arg := range strings.Fields(line) {
		name, value, ok := strings.Cut(arg, "=")
		if v := given[name]; v != nil {
			value, ok = *v, true
		}
		if ok {
			out = append(out, name+"="+strings.Trim(value, `"'`))
		}
	}
	return out
}

func instructions(text string) (out []string) {
	open := ""
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if more, goesOn := strings.CutSuffix(line, `\`); goesOn {
			open += strings.TrimSpace(more) + " "
			continue
		}
		out = append(out, open+line)
		open = ""
	}
	if open = strings.TrimSpace(open); open != "" {
		out = append(out, open)
	}
	return out
}

// targetOf is the stage of a name or number, the last one without either.
func targetOf(stages []stage, target string) (int, error) {
	if target == "" {
		return len(stages) - 1, nil
	}
	for i, s := range stages {
		if strings.EqualFold(s.name, target) || fmt.Sprint(i) == target {
			return i, nil
		}
	}
	return 0, invalid("failed to reach build target %s in Dockerfile", target)
}

// inherit gives the image what its stage, those that it is based on, and the image
// under them say of how it runs.
func (e *Engine) inherit(img *image, stages []stage, at int) error {
	s := stages[at]
	from := -1
	for i := range at {
		if stages[i].name != "" && strings.EqualFold(stages[i].name, s.base) {
			from = i
		}
	}
	switch {
	case from >= 0:
		if err := e.inherit(img, stages, from); err != nil {
			return err
		}
	case s.base != "scratch":
		named, err := reference.ParseNormalizedNamed(s.base)
		if err != nil {
			return errdefs.InvalidParameter(err)
		}
		named = reference.TagNameOnly(named)
		base := pulled(named)
		e.mu.Lock()
		if have, err := e.images.find(named.String()); err == nil {
			base = have
		}
		e.mu.Unlock()
		config, err := json.Marshal(base.Config.Config) // a copy: what it holds is the base's
		if err != nil {
			return err
		}
		if err := json.Unmarshal(config, &img.Config.Config); err != nil {
			return err
		}
		img.Size, img.Starts = base.Size, base.Starts
	}
	for _, line := range s.lines[1:] {
		word, _, _ := strings.Cut(line, " ")
		switch strings.ToUpper(word) {
		case "RUN", "COPY", "ADD", "ARG", "SHELL", "MAINTAINER":
			continue
		}
		if err := applyChanges(&img.Config.Config, []string{line}); err != nil {
			return errdefs.InvalidParameter(fmt.Errorf("dockerfile parse error: %w", err))
		}
	}
	return nil
}

// push is `docker push`: the lab's registries take all, and the digest is that of
// the image.
func (r imageRoutes) push(_ context.Context, w http.ResponseWriter, req *http.Request, vars map[string]string) error {
	if err := httputils.ParseForm(req); err != nil {
		return err
	}
	named, err := reference.ParseNormalizedNamed(vars["name"])
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	if tag := req.Form.Get("tag"); tag != "" {
		if named, err = reference.WithTag(reference.TrimNamed(named), tag); err != nil {
			return errdefs.InvalidParameter(err)
		}
	}
	named = reference.TagNameOnly(named)
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	img, err := r.e.images.find(named.String())
	if err != nil {
		return notFound("An image does not exist locally with the tag: %s", reference.FamiliarName(named))
	}
	digested, err := reference.WithDigest(reference.TrimNamed(named), digestOf("manifest of %s", img.ID))
	if err != nil {
		return errdefs.InvalidParameter(err)
	}
	r.e.tag(img, digested)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(streamformatter.FormatStatus("", "%s: digest: %s size: 1024", tagOf(named), digested.Digest()))
	return nil
}

// stream is a line of what a build writes.
func stream(text string) []byte {
	line, err := json.Marshal(map[string]string{"stream": text})
	if err != nil {
		return nil // a string can always be written
	}
	return append(line, '\n')
}
