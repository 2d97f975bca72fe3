package swarm

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
)

func portFrom(p swarm.PortConfig) Port {
	out := Port{Target: uint16(p.TargetPort), Published: uint16(p.PublishedPort), Protocol: string(p.Protocol), Mode: string(p.PublishMode)}
	if out.Protocol == "" {
		out.Protocol = "tcp"
	}
	if out.Mode == "" {
		out.Mode = "ingress"
	}
	return out
}

func policyFrom(u *swarm.UpdateConfig) UpdatePolicy {
	p := UpdatePolicy{Parallelism: 1, OnFailure: "pause", Monitor: defaultMonitor, Order: "stop-first"}
	if u == nil {
		return p
	}
	p.Parallelism, p.Delay, p.MaxFailureRatio = u.Parallelism, u.Delay, ratio(float64(u.MaxFailureRatio))
	if u.FailureAction != "" {
		p.OnFailure = u.FailureAction
	}
	if u.Monitor != 0 {
		p.Monitor = u.Monitor
	}
	if u.Order != "" {
		p.Order = u.Order
	}
	return p
}

// policyTo returns nil for jobs: the swarm refuses them a policy.
func policyTo(s *ServiceSpec, p UpdatePolicy) *swarm.UpdateConfig {
	if strings.HasSuffix(s.Mode, "-job") {
		return nil
	}
	return &swarm.UpdateConfig{
		Parallelism: p.Parallelism, Delay: p.Delay, FailureAction: p.OnFailure, Monitor: p.Monitor,
		MaxFailureRatio: float32(p.MaxFailureRatio), Order: p.Order,
	}
}

// ratio rounds to what Docker's float32 can hold, in its shortest decimal
// form, so that 0.1 stays 0.1.
func ratio(f float64) float64 {
	out, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64)
	if err != nil || math.IsNaN(out) {
		return 0
	}
	return out
}

// imageFrom leaves out the digest that a tag was pinned to, unless the script
// said it.
func imageFrom(image string, labels map[string]string) ImageRef {
	if ImageRef(image).isPlain() {
		return ImageRef(image)
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ImageRef(image)
	}
	tagged, hasTag := named.(reference.Tagged)
	_, hasDigest := named.(reference.Canonical)
	if hasTag && hasDigest && labels[labelImage] == "" {
		if t, err := reference.WithTag(reference.TrimNamed(named), tagged.Tag()); err == nil {
			return ImageRef(reference.FamiliarString(t))
		}
	}
	return ImageRef(reference.FamiliarString(reference.TagNameOnly(named)))
}

// tagAndDigest reports whether an image reference has both.
func tagAndDigest(image string) bool {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	_, hasTag := named.(reference.Tagged)
	_, hasDigest := named.(reference.Canonical)
	return hasTag && hasDigest
}

func HealthFrom(h *container.HealthConfig) Healthcheck {
	if h == nil {
		return Healthcheck{}
	}
	if len(h.Test) > 0 && h.Test[0] == "NONE" {
		return Healthcheck{Disable: true}
	}
	return Healthcheck{
		Cmd: h.Test, Interval: h.Interval, Timeout: h.Timeout, Retries: int64(h.Retries),
		StartPeriod: h.StartPeriod, StartInterval: h.StartInterval,
	}
}

func HealthTo(h Healthcheck) *container.HealthConfig {
	if h.Disable {
		return &container.HealthConfig{Test: []string{"NONE"}}
	}
	if len(h.Cmd) == 0 && h.Interval == 0 && h.Timeout == 0 && h.Retries == 0 && h.StartPeriod == 0 && h.StartInterval == 0 {
		return nil
	}
	return &container.HealthConfig{
		Test: h.Cmd, Interval: h.Interval, Timeout: h.Timeout, Retries: int(h.Retries),
		StartPeriod: h.StartPeriod, StartInterval: h.StartInterval,
	}
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// copyOf returns a copy to write to, so that what was observed stays as it is.
func copyOf[T any](p *T) *T {
	var out T
	if p != nil {
		out = *p
	}
	return &out
}

func convertAll[To, From ~string](in []From) []To {
	if in == nil {
		return nil
	}
	out := make([]To, len(in))
	for i, s := range in {
		out[i] = To(s)
	}
	return out
}

func missing(what, name string) error {
	return missingError{fmt.Errorf("there is no %s %q in the swarm", what, name)}
}
