package azure

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// However requests come, in any span of time no more are let through than the
// bucket holds and what it gets in that time; and nobody waits for longer than
// that asks for.
func TestBucketKeepsTheRate(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		size, rate := float64(1+rng.IntN(20)), float64(1+rng.IntN(20))
		b := newBucket(size, rate)
		now := time.Unix(1000, 0)
		var sent []time.Time
		for range 200 {
			now = now.Add(time.Duration(rng.IntN(200)) * time.Millisecond)
			sent = append(sent, now.Add(b.take(now)))
		}
		for i := range sent {
			for j := i; j < len(sent); j++ {
				span := sent[j].Sub(sent[i]).Seconds()
				if n := float64(j - i + 1); n > size+rate*span+1.001 {
					t.Fatalf("seed %d: %v requests within %.3f s, of a bucket of %v and %v a second", seed, n, span, size, rate)
				}
			}
			if i > 0 && sent[i].Before(sent[i-1]) {
				t.Fatalf("seed %d: request %d is served before the one that came first", seed, i)
			}
		}
	}
	b := newBucket(2, 1)
	now := time.Unix(1000, 0)
	for i, want := range []time.Duration{0, 0, time.Second, 2 * time.Second} {
		if got := b.take(now); got != want {
			t.Errorf("request %d waits %v, want %v", i, got, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	header := func(name, value string) http.Header { h := http.Header{}; h.Set(name, value); return h }
	for _, c := range []struct {
		name   string
		status int
		h      http.Header
		code   string
		try    int
		again  bool
		after  time.Duration
	}{
		{"it is done", 200, nil, "", 0, false, 0},
		{"too many, beyond what the SDK waits for", 429, header("Retry-After", "300"), "TooManyRequests", 0, true, 5 * time.Minute},
		{"however often", 429, header("Retry-After-Ms", "50"), "", 1000, true, 50 * time.Millisecond},
		{"a resource that is being made", 429, nil, "ReferencedResourceNotProvisioned", 9, true, 0},
		{"a quota is no matter of time", 429, nil, "QuotaExceeded", 0, false, 0},
		{"another operation", 409, nil, "AnotherOperationInProgress", 9, true, 0},
		{"a conflict that stays", 409, nil, "PropertyChangeNotAllowed", 0, false, 0},
		{"a fault of Azure's", 503, header("Retry-After", "1"), "", 0, true, time.Second},
		{"one that stays", 503, nil, "", faultTries, false, 0},
		{"refused", 403, nil, "AuthorizationFailed", 0, false, 0},
		{"somebody wrote in between", 412, nil, "PreconditionFailed", 0, false, 0},
	} {
		again, after := verdict(c.status, c.h, c.code, c.try)
		if again != c.again || again && after != c.after {
			t.Errorf("%s: got %v after %v, want %v after %v", c.name, again, after, c.again, c.after)
		}
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	last := time.Duration(0)
	for try := range 40 {
		d := backoff(try, 0)
		if d < last || d > 30*time.Second || backoff(try, 1) < d/2 {
			t.Errorf("try %d: %v after %v, at least %v", try, d, last, backoff(try, 1))
		}
		last = d
	}
}

// A request is sent again, with its body, until Azure takes it.
func TestThrottleTriesAgain(t *testing.T) {
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "the body" {
			t.Errorf("the body is %q", body)
		}
		switch calls.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "300")
			w.WriteHeader(429)
		case 2:
			w.WriteHeader(409)
			io.WriteString(w, `{"error":{"code":"AnotherOperationInProgress","message":"wait"}}`)
		case 3:
			w.WriteHeader(500)
		default:
			w.WriteHeader(409)
			io.WriteString(w, `{"error":{"code":"PropertyChangeNotAllowed","message":"no"}}`)
		}
	}))
	defer s.Close()
	th := NewThrottle()
	var waited []time.Duration
	th.wait = func(ctx context.Context, d time.Duration) error {
		if d > 0 {
			waited = append(waited, d)
		}
		return ctx.Err()
	}
	var told []string
	ctx := telling(t.Context(), func(s string) { told = append(told, s) })
	pl := runtime.NewPipeline("test", "1", runtime.PipelineOptions{PerCall: []policy.Policy{th}}, &policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}})
	req, err := runtime.NewRequest(ctx, http.MethodPut, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := req.SetBody(readSeekCloser{strings.NewReader("the body")}, "text/plain"); err != nil {
		t.Fatal(err)
	}
	resp, err := pl.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 409 || !strings.Contains(string(body), "PropertyChangeNotAllowed") {
		t.Errorf("the answer is %d %s", resp.StatusCode, body)
	}
	if len(waited) != 3 || waited[0] != 5*time.Minute {
		t.Errorf("waited %v", waited)
	}
	if len(told) != 3 || !strings.Contains(told[1], "AnotherOperationInProgress") {
		t.Errorf("told %q", told)
	}
}

// What a subscription may is one budget, whoever asks; that of another one, of another
// Azure, of deletions and of reads is another.
func TestOneBudgetPerSubscription(t *testing.T) {
	th := NewThrottle()
	take := func(method, rawURL string) *bucket {
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := th.budget(u).of(method)
		return b
	}
	const a = "https://management.azure.com/subscriptions/A/resourceGroups/one"
	b := take("PUT", a)
	for _, same := range []string{a, "https://management.azure.com/subscriptions/a/resourceGroups/two/providers/x", "https://Management.azure.com/SUBSCRIPTIONS/a"} {
		if take("PATCH", same) != b {
			t.Errorf("%s has a budget of its own", same)
		}
	}
	others := map[*bucket]string{b: a}
	for _, other := range []string{
		"GET " + a, "DELETE " + a, "PUT https://management.azure.com/subscriptions/b/resourceGroups/one",
		"PUT https://management.chinacloudapi.cn/subscriptions/a", "GET https://management.azure.com/subscriptions?api-version=1",
	} {
		method, at, _ := strings.Cut(other, " ")
		if was := others[take(method, at)]; was != "" {
			t.Errorf("%s and %s share a bucket", other, was)
		}
		others[take(method, at)] = other
	}
}

// What Azure says is left is believed where it is less.
func TestBucketKnowsWhatIsLeft(t *testing.T) {
	b, now := newBucket(10, 1), time.Unix(1000, 0)
	b.take(now)
	b.know(50)
	if got := b.take(now); got != 0 || b.tokens != 8 {
		t.Errorf("waits %v, and %v are left", got, b.tokens)
	}
	b.know(0)
	if got := b.take(now); got != time.Second {
		t.Errorf("nothing is left, and it waits %v", got)
	}
}

type readSeekCloser struct{ *strings.Reader }

func (readSeekCloser) Close() error { return nil }
