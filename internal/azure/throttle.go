package azure

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// bucket holds requests to a rate: it has so many tokens at most, and gets so many
// a second. A request takes one, and waits where there is none.
type bucket struct {
	size, rate float64

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

func newBucket(size, rate float64) *bucket { return &bucket{size: size, rate: rate, tokens: size} }

// take takes a token and returns how long to wait before it is used. Those who
// come first are served first: a token that is not there yet is owed.
func (b *bucket) take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.IsZero() || now.Before(b.last) {
		b.last = now
	}
	b.tokens = min(b.size, b.tokens+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	b.tokens--
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / b.rate * float64(time.Second))
}

// know lowers the tokens to what Azure says is left: others may send requests, too.
func (b *bucket) know(left int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens, float64(left))
}

// Azure's limits of a subscription, of one principal: a bucket of so many requests,
// and so many more a second. It counts them where they come in, which is one region
// for one client, not where the resources are.
// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
const (
	writeBurst, writeRate = 200, 10
	readBurst, readRate   = 250, 25
)

// A Throttle is the policy of every request: it stays below Azure's limits, and tries
// again what Azure refuses only for a while. One is for all connections of a run:
// those to one subscription share what it may.
type Throttle struct {
	wait  func(context.Context, time.Duration) error
	known recent

	mu      sync.Mutex
	budgets map[string]*budget // by the endpoint's host and the subscription
}

// budget is what may be asked of a subscription.
type budget struct{ writes, deletes, reads *bucket }

// NewThrottle returns one that has not sent anything yet.
func NewThrottle() *Throttle { return &Throttle{wait: pause, budgets: map[string]*budget{}} }

// budget is the one that a request counts against.
func (t *Throttle) budget(u *url.URL) *budget {
	parts := strings.Split(strings.ToLower(u.Path), "/")
	key := strings.ToLower(u.Host)
	if len(parts) > 2 && parts[1] == "subscriptions" { // otherwise it is the tenant's
		key += "/" + parts[2]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.budgets[key]
	if b == nil {
		b = &budget{writes: newBucket(writeBurst, writeRate), deletes: newBucket(writeBurst, writeRate), reads: newBucket(readBurst, readRate)}
		t.budgets[key] = b
	}
	return b
}

// of is the bucket of a method, and what Azure calls it.
func (b *budget) of(method string) (*bucket, string) {
	switch method {
	case http.MethodGet, http.MethodHead:
		return b.reads, "reads"
	case http.MethodDelete:
		return b.deletes, "deletes"
	}
	return b.writes, "writes"
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Do implements [policy.Policy].
func (t *Throttle) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	bucket, name := t.budget(req.Raw().URL).of(req.Raw().Method)
	for try := 0; ; try++ {
		if err := t.wait(ctx, bucket.take(time.Now())); err != nil {
			return nil, err
		}
		if err := req.RewindBody(); err != nil {
			return nil, err
		}
		resp, err := req.Clone(ctx).Next()
		if err != nil {
			if try >= brokenTries || ctx.Err() != nil || !safe(req.Raw()) || final(err) {
				return nil, err
			}
			if err := t.wait(ctx, backoff(try, rand.Float64())); err != nil {
				return nil, err
			}
			continue
		}
		if left, err := strconv.Atoi(resp.Header.Get("X-Ms-Ratelimit-Remaining-Subscription-" + name)); err == nil {
			bucket.know(left)
		}
		again, after := verdict(resp.StatusCode, resp.Header, errorCode(resp), try)
		unheard := t.known.unheard(req.Raw(), resp, time.Now())
		if !again && !concurrent(req.Raw(), resp) && !unheard {
			t.known.note(req.Raw(), resp.StatusCode, time.Now())
			return resp, nil
		}
		if unheard {
			after = min(backoff(try, rand.Float64()), heardPause)
		}
		tell(ctx, refusal(resp, after))
		runtime.Drain(resp)
		if after == 0 {
			after = backoff(try, rand.Float64())
		}
		if err := t.wait(ctx, after); err != nil {
			return nil, err
		}
	}
}

// brokenTries is how often a request is sent again whose connection broke;
// faultTries one that Azure failed at. What is only refused for a while is tried for
// as long as the step may take.
const (
	brokenTries = 3
	faultTries  = 5
)

// safe reports whether a request whose answer was lost may be sent again: one that
// makes a resource only if there is none would be refused though it went well.
func safe(r *http.Request) bool {
	return r.Method != http.MethodPost && r.Header.Get("If-None-Match") == ""
}

// final reports whether an error is a login that was refused: it has been tried again
// where that helps.
func final(err error) bool {
	var marked interface {
		error
		NonRetriable()
	}
	return errors.As(err, &marked)
}

// verdict decides whether a request is tried again, and when: after is 0 where
// Azure did not say.
func verdict(status int, h http.Header, code string, try int) (again bool, after time.Duration) {
	after = retryAfter(h)
	switch {
	case status == http.StatusTooManyRequests:
		// QuotaExceeded and its like are for good, though some come as 429.
		return !strings.Contains(code, "Quota"), after
	case status == http.StatusConflict:
		return busyCodes[code], after
	case status == http.StatusRequestTimeout, status == http.StatusInternalServerError, status == http.StatusBadGateway,
		status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return try < faultTries, after
	}
	return false, 0
}

// busyCodes are those of conflicts that end by themselves.
var busyCodes = map[string]bool{
	"AnotherOperationInProgress":       true,
	"ReferencedResourceNotProvisioned": true,
	"RetryableError":                   true,
	"ResourceGroupBeingDeleted":        true,
}

// concurrent reports whether a machine cannot be changed or deleted now because Azure
// is at it already: that ends. One that is to be made is there then, which its step
// has to know at once. Of others the code says less.
func concurrent(r *http.Request, resp *http.Response) bool {
	return resp.StatusCode == http.StatusConflict && errorCode(resp) == codeConcurrent && r.Header.Get("If-None-Match") == "" &&
		strings.Contains(strings.ToLower(r.URL.Path), "/microsoft.compute/virtualmachines/")
}

const codeConcurrent = "Conflict"

// retryAfter is what an answer says of when to ask again, 0 where it does not.
func retryAfter(h http.Header) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := strconv.Atoi(h.Get(name)); err == nil && ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	text := h.Get("Retry-After")
	if s, err := strconv.Atoi(text); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// backoff is how long to wait before the next try where nobody says: it doubles up
// to half a minute, less a random part, so that many do not come back at once.
func backoff(try int, random float64) time.Duration {
	d := min(500*time.Millisecond<<min(try, 10), 30*time.Second)
	return d - time.Duration(random*float64(d)/2)
}

// errorCode is Azure's code of an answer that is an error, "" where there is none.
func errorCode(resp *http.Response) string {
	code, _ := errorOf(resp)
	return code
}

// errorOf is Azure's code and message of an answer that is an error, "" where there is
// none. The answer can be read again.
func errorOf(resp *http.Response) (code, message string) {
	if resp.StatusCode < 400 {
		return "", ""
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return "", ""
	}
	var e struct {
		Error struct{ Code, Message string }
	}
	_ = json.Unmarshal(body, &e)
	return cmp.Or(resp.Header.Get("X-Ms-Error-Code"), e.Error.Code), e.Error.Message
}

// refusal says in a few words what is waited for.
func refusal(resp *http.Response, after time.Duration) string {
	what := "Azure answers " + strconv.Itoa(resp.StatusCode)
	if code := errorCode(resp); code != "" {
		what += " " + code
	}
	if after > 0 {
		what += ", try again in " + after.Round(time.Second).String()
	}
	return what
}

type progressKey struct{}

// telling returns a context under which waiting is told.
func telling(ctx context.Context, progress func(string)) context.Context {
	return context.WithValue(ctx, progressKey{}, progress)
}

func tell(ctx context.Context, text string) {
	if progress, ok := ctx.Value(progressKey{}).(func(string)); ok {
		progress(text)
	}
}

// told reports whether waiting is told under a context: it is a step's.
func told(ctx context.Context) bool { return ctx.Value(progressKey{}) != nil }
