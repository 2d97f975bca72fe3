package swarm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
)

const (
	LogLines   = 10 // of a container's log, in a report
	logTimeout = 5 * time.Second
	logMax     = 64 << 10
)

// report says why a service did not converge, in the words of its tasks.
func (w *wait) report(ctx context.Context, c *Conn, summary string) error {
	e := &resource.NotConverged{Address: w.r.Address, Summary: summary}
	if w.svc == nil {
		e.Detail = "the swarm could not be asked how far it is"
		return e
	}
	var lines []string
	f := w.worst()
	if f != nil {
		t := f.last()
		lines = append(lines, failingText(w.svc, f, w.host))
		if checked(t) {
			lines = append(lines, "it has a health check: an engine stops what does not pass it, and a program may then end with 0")
		}
		if hint := pullHint(c, w.r, t); hint != "" {
			lines = append(lines, hint)
		}
		text, err := taskLog(context.WithoutCancel(ctx), c, t)
		lines = append(lines, LogReport(text, err)...)
	} else if w.view.Text != "" {
		lines = append(lines, "task "+w.view.Text)
	}
	lines = append(lines, fmt.Sprintf("%d of %d tasks are as they should be", w.view.Done, w.view.Total))
	if s := w.svc.UpdateStatus; s != nil && s.Message != "" && f == nil {
		lines = append(lines, "the swarm says: "+s.Message)
	}
	switch w.view.State {
	case stateRolledBack:
		e.RolledBack = "its previous version"
		lines = slices.DeleteFunc(lines, func(s string) bool { return strings.HasSuffix(s, "are as they should be") })
		if w.live != nil {
			e.RolledBack = fmt.Sprintf("version %d", w.live.Version.Index)
		}
	case statePaused:
		lines = append(lines, "it stays half updated until the next update")
	}
	e.Detail = strings.Join(lines, "\n")
	return e
}

// pullHint says what to do about an image that a node could not pull, where
// that may be a matter of credentials: the engine says no more than that there
// is no such image.
func pullHint(c *Conn, r *resource.Request, t *swarm.Task) string {
	if t.Status.State != swarm.TaskStateRejected || !strings.Contains(t.Status.Err, "No such image") || t.Spec.ContainerSpec == nil {
		return ""
	}
	creds := c.Credentials()
	if creds == nil {
		return ""
	}
	image := t.Spec.ContainerSpec.Image
	auth, err := creds.For(image)
	named, parseErr := reference.ParseNormalizedNamed(image)
	if err != nil || parseErr != nil || auth == "" {
		return ""
	}
	host := reference.Domain(named)
	if sendsAuth(c, reader{ServiceSchema, r.Args}, image) {
		return fmt.Sprintf("the node did not get it from %s: check that the image is there, and your credentials (docker login %s)", host, host)
	}
	return fmt.Sprintf("the node did not get it from %s, and was sent no credentials: with_registry_auth = True sends it yours", host)
}

// checked reports that a task which ended well may have been stopped because its
// health check failed: the engine does not say so.
func checked(t *swarm.Task) bool {
	cs := t.Spec.ContainerSpec
	if t.Status.State != swarm.TaskStateComplete || t.JobIteration != nil || cs == nil || cs.Healthcheck == nil {
		return false
	}
	return len(cs.Healthcheck.Test) > 0 && cs.Healthcheck.Test[0] != "NONE"
}

// failingText says "task db.1 on wrk-1 exited with 1 (4 times in 52 s)".
func failingText(svc *swarm.Service, f *failing, host func(string) string) string {
	t := f.last()
	s := "task " + taskOn(svc, t, host, "") + " " + failureText(t)
	if n := len(f.tasks); n > 1 {
		span := t.Status.Timestamp.Sub(f.tasks[0].CreatedAt).Round(time.Second)
		s += fmt.Sprintf(" (%d times in %s)", n, span)
	}
	return s
}

// taskLog returns the last lines that a task wrote.
func taskLog(ctx context.Context, c *Conn, t *swarm.Task) (string, error) {
	if t.Status.ContainerStatus == nil || t.Status.ContainerStatus.ContainerID == "" {
		return "", fmt.Errorf("it had no container")
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	rd, err := c.Docker().TaskLogs(ctx, t.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: fmt.Sprint(LogLines)})
	if err != nil {
		return "", remote.Err(err)
	}
	defer rd.Close()
	cs := t.Spec.ContainerSpec
	return LastLines(rd, cs != nil && cs.TTY)
}

// taskNames lists tasks for a person: "web.1 on wrk-1 (running)".
func (st *serviceState) taskNames(ctx context.Context, c *Conn, service string, tasks []swarm.Task) string {
	ids := map[string]bool{}
	for _, t := range tasks {
		ids[t.NodeID] = true
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	hosts := st.hostnames(ctx, c, ids)
	host := func(id string) string { return orSelf(hosts, id) }
	var out []string
	for _, t := range tasks {
		s := taskName(service, t.Slot != 0, &t, host)
		if t.Slot != 0 {
			s += " on " + host(t.NodeID)
		}
		out = append(out, s+" ("+string(t.Status.State)+")")
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// LogReport tells the last lines of a log, or why there are none.
func LogReport(text string, err error) []string {
	switch {
	case err != nil:
		return []string{"its log could not be read: " + err.Error()}
	case text == "":
		return []string{"its log is empty"}
	}
	lines := []string{"last lines of its log:"}
	for _, l := range strings.Split(text, "\n") {
		lines = append(lines, "  "+l)
	}
	return lines
}
