package emulator

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Limits are Resource Manager's token buckets of a subscription.
type Limits struct{ Reads, Writes, Deletes Bucket }

// A Bucket lets a burst of requests through, and then so many a second. One without
// a burst lets all through.
type Bucket struct {
	Burst     int
	PerSecond float64
}

// AzureLimits are those that Azure publishes.
var AzureLimits = Limits{Reads: Bucket{250, 25}, Writes: Bucket{200, 10}, Deletes: Bucket{200, 10}}

// buckets are Limits while they are used.
type buckets struct {
	mu     sync.Mutex
	states map[string]*bucketState
}

type bucketState struct {
	Bucket
	tokens float64
	filled time.Time
}

func newBuckets(l Limits) *buckets {
	now := time.Now()
	b := &buckets{states: map[string]*bucketState{}}
	for what, bucket := range map[string]Bucket{"reads": l.Reads, "writes": l.Writes, "deletes": l.Deletes} {
		b.states[what] = &bucketState{bucket, float64(bucket.Burst), now}
	}
	return b
}

// take takes a token for a request, or says when there will be one.
func (b *buckets) take(h http.Header, method string, now time.Time) error {
	what := "reads"
	switch method {
	case http.MethodPut, http.MethodPatch, http.MethodPost:
		what = "writes"
	case http.MethodDelete:
		what = "deletes"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.states[what]
	if s.Burst == 0 {
		return nil
	}
	s.tokens = min(float64(s.Burst), s.tokens+now.Sub(s.filled).Seconds()*s.PerSecond)
	s.filled = now
	header := "x-ms-ratelimit-remaining-subscription-" + what
	if s.tokens < 1 {
		h.Set(header, "0")
		wait := (1 - s.tokens) / s.PerSecond
		f := fail(http.StatusTooManyRequests, "SubscriptionRequestsThrottled", "Number of '%s' requests for the subscription exceeded. Please try again after '%.0f' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for more information.", what, math.Ceil(wait))
		f.retryAfter = time.Duration(wait * float64(time.Second)).Round(time.Millisecond)
		return f
	}
	s.tokens--
	h.Set(header, strconv.Itoa(int(s.tokens)))
	return nil
}
