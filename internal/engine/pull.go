package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/distribution/reference"
	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/oci"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
)

// pullMessage is a line of what an engine says while it pulls or pushes.
type pullMessage struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error string `json:"error"`
}

// pulled is how far a pull is, by its layers.
type pulled struct {
	order  []string
	layers map[string]*layer
}

type layer struct {
	done           bool
	current, total int64
}

// add takes in a message.
func (p *pulled) add(m pullMessage) {
	if m.ID == "" || strings.HasPrefix(m.Status, "Pulling from") {
		return // about the whole image
	}
	l := p.layers[m.ID]
	if l == nil {
		l = &layer{}
		if p.layers == nil {
			p.layers = map[string]*layer{}
		}
		p.layers[m.ID] = l
		p.order = append(p.order, m.ID)
	}
	switch m.Status {
	case "Downloading":
		l.current, l.total = m.Progress.Current, max(m.Progress.Total, m.Progress.Current)
	case "Download complete", "Extracting":
		l.current = l.total
	case "Pull complete", "Already exists":
		l.done, l.current = true, l.total
	}
}

// progress says how far it is: the layers, and the bytes of those that are
// known.
func (p *pulled) progress() resource.Progress {
	out := resource.Progress{Total: len(p.order)}
	var current, total int64
	for _, l := range p.layers {
		current, total = current+l.current, total+l.total
		if l.done {
			out.Done++
		}
	}
	out.Text = "pulling"
	if total > 0 {
		out.Text = fmt.Sprintf("pulled %s of %s", units.HumanSize(float64(current)), units.HumanSize(float64(total)))
	}
	return out
}

// tellEvery bounds how often a pull's progress is told while no layer is done.
const tellEvery = time.Second

// follow reads what an engine says of a pull until its end, and returns the
// error in it.
func follow(r io.Reader, tell func(resource.Progress)) error {
	var p pulled
	return transfer(r, func(m pullMessage) resource.Progress {
		p.add(m)
		return p.progress()
	}, tell)
}

// transfer reads what an engine says of a pull or a push until its end, and returns
// the error in it. What it means for the whole is told: with each layer that is done,
// and now and then.
func transfer(r io.Reader, sum func(pullMessage) resource.Progress, tell func(resource.Progress)) error {
	var last time.Time
	done := -1
	for in := json.NewDecoder(r); ; {
		var m pullMessage
		if err := in.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return remote.Err(err)
		}
		if m.Error != "" {
			return remote.Err(errors.New(m.Error))
		}
		now := sum(m)
		if now.Total > 0 && (now.Done != done || time.Since(last) >= tellEvery) {
			last, done = time.Now(), now.Done
			tell(now)
		}
	}
}

// pullErr says what a refused pull means, with the login that the script has.
func pullErr(ref string, login *resource.Login, err error) error {
	return refusedErr(ref, "pulled", "is it there, and are there credentials?", login, err)
}

// refusedErr says what it means that a registry refused an image.
func refusedErr(ref, done, question string, login *resource.Login, err error) error {
	if err == nil {
		return nil
	}
	if !oci.Refused(err) {
		return fmt.Errorf("%s was not %s: %w", ref, done, err)
	}
	advice := "docker login " + ref
	if named, perr := reference.ParseNormalizedNamed(ref); login != nil {
		advice = swarm.LoginHint(login)
	} else if perr == nil {
		advice = "docker login " + reference.Domain(named)
	}
	return fmt.Errorf("%s was not %s: %w (%s %s)", ref, done, err, question, advice)
}
