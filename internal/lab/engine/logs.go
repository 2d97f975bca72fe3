package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/backend"
	containertypes "github.com/docker/docker/api/types/container"
	timetypes "github.com/docker/docker/api/types/time"
	"github.com/docker/docker/errdefs"
)

const keptLines = 500 // of a container's log

var logDrivers = []string{"awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "none", "splunk", "syslog"}

// line is one of a container's log.
type line struct {
	At     time.Time
	Stream string
	Text   string
}

// write adds lines to a container's log. Its caller saves the container.
func (e *Engine) write(c *container, lines []string, stream string) {
	now := time.Now().UTC()
	for _, text := range lines {
		c.Log = append(c.Log, line{now, stream, text})
	}
	if len(c.Log) > keptLines {
		c.Log = append([]line{}, c.Log[len(c.Log)-keptLines:]...)
	}
}

// logQuery is what `docker logs` asks for.
type logQuery struct {
	since, until   time.Time
	tail           int // -1: all
	stdout, stderr bool
	follow         bool
}

func (q logQuery) wants(l line) bool {
	return (l.Stream == "stdout" && q.stdout || l.Stream == "stderr" && q.stderr) &&
		!l.At.Before(q.since) && (q.until.IsZero() || !l.At.After(q.until))
}

func parseLogQuery(o *containertypes.LogsOptions) (q logQuery, err error) {
	q = logQuery{tail: -1, stdout: o.ShowStdout, stderr: o.ShowStderr, follow: o.Follow}
	if n, err := strconv.Atoi(o.Tail); err == nil {
		q.tail = n
	}
	for text, to := range map[string]*time.Time{o.Since: &q.since, o.Until: &q.until} {
		if text == "" || text == "0" {
			continue
		}
		seconds, nanos, err := timetypes.ParseTimestamps(text, 0)
		if err != nil {
			return q, errdefs.InvalidParameter(err)
		}
		*to = time.Unix(seconds, nanos)
	}
	return q, nil
}

// ContainerLogs is `docker logs`.
func (e *Engine) ContainerLogs(ctx context.Context, name string, o *containertypes.LogsOptions) (<-chan *backend.LogMessage, bool, error) {
	if !o.ShowStdout && !o.ShowStderr {
		return nil, false, invalid("You must choose at least one stream")
	}
	q, err := parseLogQuery(o)
	if err != nil {
		return nil, false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil {
		return nil, false, err
	}
	if d := c.HostConfig.LogConfig.Type; d != "json-file" && d != "local" && d != "journald" {
		return nil, false, errdefs.NotImplemented(errLogReading)
	}
	return e.readLog(ctx, c, q, c.ended), c.Config.Tty, nil
}

var errLogReading = invalid("configured logging driver does not support reading")

// ended reports whether nothing more comes from a container as it runs now.
func (c *container) ended() bool { return !c.State.Running || c.removed }

// readLog sends what a container's log has, and where that is asked for what it gets
// until the container has ended, which is asked for under the lock.
func (e *Engine) readLog(ctx context.Context, c *container, q logQuery, over func() bool) <-chan *backend.LogMessage {
	out := make(chan *backend.LogMessage)
	go func() {
		defer close(out)
		end := "\n"
		if c.Config.Tty {
			end = "\r\n" // a terminal makes it so
		}
		var last time.Time
		first := true
		for {
			e.mu.Lock()
			var lines []line
			for _, l := range c.Log {
				if q.wants(l) && l.At.After(last) {
					lines = append(lines, l)
				}
			}
			if n := len(c.Log); n > 0 {
				last = c.Log[n-1].At
			}
			ended, changed := over(), c.changed
			e.mu.Unlock()
			if first && q.tail >= 0 && len(lines) > q.tail {
				lines = lines[len(lines)-q.tail:]
			}
			first = false
			for _, l := range lines {
				select {
				case out <- &backend.LogMessage{Line: []byte(l.Text + end), Source: l.Stream, Timestamp: l.At}:
				case <-ctx.Done():
					return
				case <-e.ctx.Done():
					return
				}
			}
			if !q.follow || ended {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			case <-e.ctx.Done():
				return
			}
		}
	}()
	return out
}
