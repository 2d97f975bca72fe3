package engine

import (
	"context"
	"fmt"
	"io"
	"strings"

	units "github.com/docker/go-units"

	"github.com/docker/docker/api/types/image"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// push pushes an image under one of its names.
func (c *Conn) push(ctx context.Context, name string, tell func(resource.Progress)) error {
	auth, err := c.Credentials().For(name)
	if err != nil {
		return err
	}
	body, err := c.Docker().ImagePush(ctx, name, image.PushOptions{RegistryAuth: auth})
	if err != nil {
		return pushErr(name, c.Credentials().Declared(name), remote.Err(err))
	}
	defer body.Close()
	return pushErr(name, c.Credentials().Declared(name), followPush(body, name, tell))
}

// followPush reads what an engine says of a push until its end, and returns the
// error in it.
func followPush(r io.Reader, name string, tell func(resource.Progress)) error {
	layers := map[string]*layer{}
	return transfer(r, func(m pullMessage) resource.Progress {
		if m.ID != "" && !strings.HasPrefix(m.Status, name) {
			if layers[m.ID] == nil {
				layers[m.ID] = &layer{}
			}
			layers[m.ID].pushed(m)
		}
		now := resource.Progress{Total: len(layers)}
		var sent int64
		for _, l := range layers {
			sent += l.current
			if l.done {
				now.Done++
			}
		}
		now.Text = fmt.Sprintf("pushed %s of %s", units.HumanSize(float64(sent)), name)
		return now
	}, tell)
}

// pushed takes in a message of a push.
func (l *layer) pushed(m pullMessage) {
	switch {
	case m.Status == "Pushing":
		l.current = m.Progress.Current
	case m.Status == "Pushed", m.Status == "Layer already exists", strings.HasPrefix(m.Status, "Mounted from"):
		l.done = true
	}
}

// pushErr says what a refused push means, with the login that the script has.
func pushErr(name string, login *resource.Login, err error) error {
	return refusedErr(name, "pushed", "are there credentials that may?", login, err)
}
