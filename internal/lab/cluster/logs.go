package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/backend"
	"github.com/docker/docker/api/types/container"
	timetypes "github.com/docker/docker/api/types/time"
	gogo "github.com/gogo/protobuf/types"
	"github.com/moby/swarmkit/v2/api"
)

// Attributes that say where a line of a service's logs comes from.
const (
	nodeAttr    = "com.docker.swarm.node.id"
	serviceAttr = "com.docker.swarm.service.id"
	taskAttr    = "com.docker.swarm.task.id"
)

// ServiceLogs returns the logs of services and tasks, from all nodes, until the context
// ends or, unless they are followed, there are no more.
func (c *Cluster) ServiceLogs(ctx context.Context, selector *backend.LogSelector, options *container.LogsOptions) (<-chan *backend.LogMessage, error) {
	s := c.state()
	if s.control == nil {
		return nil, s.noManager()
	}
	selected, err := s.logSelector(ctx, selector)
	if err != nil {
		return nil, fmt.Errorf("error making log selector: %w", err)
	}
	wanted, err := logOptions(options)
	if err != nil {
		return nil, err
	}
	stream, err := api.NewLogsClient(s.conn).SubscribeLogs(ctx, &api.SubscribeLogsRequest{Selector: selected, Options: wanted})
	if err != nil {
		return nil, err
	}
	messages := make(chan *backend.LogMessage, 1)
	go func() {
		defer close(messages)
		for {
			received, err := stream.Recv()
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return
			}
			if err != nil {
				select {
				case <-ctx.Done():
				case messages <- &backend.LogMessage{Err: err}:
				}
				return
			}
			for _, m := range received.Messages {
				select {
				case <-ctx.Done():
					return
				case messages <- logMessage(m):
				}
			}
		}
	}()
	return messages, nil
}

// logSelector finds the services and tasks that are named.
func (s state) logSelector(ctx context.Context, selector *backend.LogSelector) (*api.LogSelector, error) {
	selected := &api.LogSelector{}
	for _, input := range selector.Services {
		service, err := s.findService(ctx, input, false)
		if err != nil {
			return nil, err
		}
		if service.Spec.Task.GetContainer() == nil {
			return nil, errors.New("logs only supported on container tasks")
		}
		selected.ServiceIDs = append(selected.ServiceIDs, service.ID)
	}
	for _, input := range selector.Tasks {
		task, err := s.findTask(ctx, input)
		if err != nil {
			return nil, err
		}
		if task.Spec.GetContainer() == nil {
			return nil, errors.New("logs only supported on container tasks")
		}
		selected.TaskIDs = append(selected.TaskIDs, task.ID)
	}
	return selected, nil
}

func logOptions(options *container.LogsOptions) (*api.LogSubscriptionOptions, error) {
	wanted := &api.LogSubscriptionOptions{Follow: options.Follow}
	if options.ShowStdout {
		wanted.Streams = append(wanted.Streams, api.LogStreamStdout)
	}
	if options.ShowStderr {
		wanted.Streams = append(wanted.Streams, api.LogStreamStderr)
	}
	if options.Tail != "all" && options.Tail != "" {
		tail, err := strconv.Atoi(options.Tail)
		switch {
		case err != nil:
			return nil, errors.New(`tail value must be a positive integer or "all"`)
		case tail < 0:
			return nil, errors.New("negative tail values not supported")
		}
		wanted.Tail = int64(-tail - 1) // SwarmKit: 0 is all, -1 none, -2 the last line
	}
	if options.Since != "" {
		sec, nsec, err := timetypes.ParseTimestamps(options.Since, 0)
		if err != nil {
			return nil, fmt.Errorf("could not parse since timestamp: %w", err)
		}
		if wanted.Since, err = gogo.TimestampProto(time.Unix(sec, nsec)); err != nil {
			return nil, fmt.Errorf("could not parse timestamp to proto: %w", err)
		}
	}
	return wanted, nil
}

func logMessage(m api.LogMessage) *backend.LogMessage {
	message := &backend.LogMessage{Line: m.Data}
	message.Timestamp, message.Err = gogo.TimestampFromProto(m.Timestamp)
	for _, a := range m.Attrs {
		if a.Key != nodeAttr && a.Key != serviceAttr && a.Key != taskAttr { // those are ours to say
			message.Attrs = append(message.Attrs, backend.LogAttr{Key: a.Key, Value: a.Value})
		}
	}
	message.Attrs = append(message.Attrs,
		backend.LogAttr{Key: nodeAttr, Value: m.Context.NodeID},
		backend.LogAttr{Key: serviceAttr, Value: m.Context.ServiceID},
		backend.LogAttr{Key: taskAttr, Value: m.Context.TaskID})
	switch m.Stream {
	case api.LogStreamStdout:
		message.Source = "stdout"
	case api.LogStreamStderr:
		message.Source = "stderr"
	}
	return message
}
