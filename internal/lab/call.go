package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// errNoAnswer says that no request was read: there is no process, or what answers
// is not the lab.
var errNoAnswer = errors.New("nobody answers for the lab")

// errEnding says that a process answers that is about to end: it reads no request.
var errEnding = fmt.Errorf("%w: its process ends", errNoAnswer)

// newClient asks the process itself: it is on this computer, and behind no proxy.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute,
	}}
}

// call makes one request of a process. A nil in sends nothing, a nil out wants
// nothing.
func (l *Lab) call(ctx context.Context, p *api.Process, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.Address+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	res, err := l.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		return fmt.Errorf("the lab in %s: %w", l.dir, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return errNoAnswer
	case res.StatusCode == http.StatusServiceUnavailable:
		return errEnding
	case res.StatusCode >= 400:
		return failure(res)
	case out == nil:
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return nil
}

// failure is the error that a lab answered.
func failure(res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	f := &api.Failure{}
	if json.Unmarshal(text, f) != nil || f.Message == "" {
		return fmt.Errorf("%w: %s", errNoAnswer, res.Status)
	}
	switch f.Code {
	case api.CodeExists:
		return fmt.Errorf("%s: %w", f.Message, resource.ErrExists)
	case api.CodeMissing:
		return fmt.Errorf("%s: %w", f.Message, resource.ErrMissing)
	case api.CodeConflict:
		return fmt.Errorf("%s: %w", f.Message, resource.ErrConflict)
	}
	return f
}

// do makes a request of the lab's process, which it starts where it does not run.
func (l *Lab) do(ctx context.Context, method, path string, in, out any) error {
	for try := 0; ; try++ {
		p, err := l.known(ctx)
		if err != nil {
			return err
		}
		// It may have ended meanwhile, and has not read the request then.
		if err = l.call(ctx, p, method, path, in, out); !errors.Is(err, errNoAnswer) || try == 2 || ctx.Err() != nil {
			return err
		}
		l.forget()
	}
}

// forget has the process found anew.
func (l *Lab) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = nil
	l.http.CloseIdleConnections()
}

// known is the process that has answered before, or one that is started now.
func (l *Lab) known(ctx context.Context) (*api.Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found != nil {
		return l.found, nil
	}
	p, err := l.start(ctx)
	l.found = p
	return p, err
}
