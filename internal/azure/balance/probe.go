package balance

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// A Probe is how a backend is asked whether it is well.
type Probe struct {
	Protocol string // "tcp" wants a connection, "http" and "https" an answer of 200
	Port     uint16
	Path     string // of http and https
	Interval time.Duration
	// Threshold is how many in a row have to fail until a backend gets nothing any
	// more, and to go well until it gets something again. The first that ever goes
	// well is enough.
	Threshold int
}

// longest bounds one probe; a shorter interval does too.
const longest = 10 * time.Second

// watch asks an address all the time, and tells whenever it is not any more what it
// was: up, or not.
func (p Probe) watch(ctx context.Context, at netip.Addr, up bool, tell func(up bool)) {
	need := 1
	if up {
		need = p.Threshold
	}
	for row := 0; ; {
		well := p.ask(ctx, at)
		if ctx.Err() != nil {
			return
		}
		if row++; well == up {
			row = 0
		}
		if row > 0 && row >= need {
			up, row, need = well, 0, p.Threshold
			tell(up)
		}
		if !pause(ctx, p.Interval) {
			return
		}
	}
}

// ask probes an address once.
func (p Probe) ask(ctx context.Context, at netip.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, min(longest, max(p.Interval, time.Second)))
	defer cancel()
	to := net.JoinHostPort(at.String(), strconv.Itoa(int(p.Port)))
	if p.Protocol == "tcp" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Protocol+"://"+to+p.Path, nil)
	if err != nil {
		return false
	}
	resp, err := prober.RoundTrip(r) // which follows no redirection
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// prober keeps no connection, and takes any certificate, as Azure's probes do.
var prober = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
