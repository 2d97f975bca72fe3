package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// connError is a request that got no answer. Its text must not hold the words
// by which docker's client recognises errors to replace.
type connError struct {
	target *target
	cause  error
}

// errWantsTLS is an engine that was asked in plain HTTP.
var errWantsTLS = errors.New("it answers, but not in plain HTTP: it wants TLS")

func (e *connError) Error() string { return "the engine did not answer" }

// Err says what an error of the Engine API means: it wraps
// [resource.ErrUnreachable], [resource.ErrTransient], [resource.ErrConflict]
// or [resource.ErrExists] where it is one of those, and its text is the
// engine's own, or says what was tried and what to do. Not found stays what
// [cerrdefs.IsNotFound] knows. Nil stays nil.
func Err(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var known *apiError
	if errors.As(err, &known) {
		return err
	}
	var ce *connError
	if errors.As(err, &ce) {
		return ce.explain()
	}
	msg := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	msg = strings.TrimPrefix(msg, "rpc error: ")
	if _, desc, ok := strings.Cut(msg, " desc = "); ok && strings.HasPrefix(msg, "code = ") {
		msg = desc
	}
	return &apiError{msg: msg, cause: err, is: classOf(err, msg)}
}

// IsNotFound reports whether what was asked for does not exist.
func IsNotFound(err error) bool { return cerrdefs.IsNotFound(err) }

// apiError is an error of the API with its class beside it.
type apiError struct {
	msg   string
	cause error
	is    []error
}

func (e *apiError) Error() string { return e.msg }

func (e *apiError) Unwrap() []error { return append([]error{e.cause}, e.is...) }

// classOf tells by status code where it says enough, otherwise by the words
// that engines 20.10 to 28 use.
func classOf(err error, msg string) []error {
	low := strings.ToLower(msg)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(low, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("update out of sequence"):
		return []error{resource.ErrConflict}
	case has("already exists", "name conflicts with an existing object", "is already in use by",
		"already part of a swarm", "is already present"):
		return []error{resource.ErrExists}
	case has("does not have a leader", "no leader", "no elected cluster leader"):
		return []error{resource.ErrUnreachable, resource.ErrTransient}
	case has("leader may have changed", "leadership", "context deadline exceeded", "connection is shutting down", "transport is closing", "error while dialing",
		"lost leader status", "raft: failed to process the request: node is stopped", "not yet part of a raft cluster", "request timed out", "node is not ready"):
		return []error{resource.ErrTransient}
	case has("no route to host", "i/o timeout", "unexpected eof", "connection reset"):
		return []error{resource.ErrTransient}
	}
	return nil
}

// explain says what was tried, why it failed, and what to do.
func (e *connError) explain() error {
	var host *hostError
	if errors.As(e.cause, &host) {
		return host // it says all: the engine is behind a host's SSH
	}
	why, hint, transient := e.target.reason(e.cause)
	msg := fmt.Sprintf("cannot reach the Docker Engine at %s: %s", e.target.Name(), why)
	if transient {
		msg = fmt.Sprintf("lost the connection to the Docker Engine at %s: %s", e.target.Name(), why)
	}
	if hint == "" {
		hint = advice(e.target.host)
	}
	is := []error{resource.ErrUnreachable}
	if transient {
		is = append(is, resource.ErrTransient)
	}
	return &apiError{msg: msg + " (" + hint + ")", cause: e.cause, is: is}
}

// reason puts the cause in a person's words. It is transient where an engine
// had answered before.
func (t *target) reason(err error) (why, hint string, transient bool) {
	if said, ok := sshSaid(err); ok {
		return t.sshReason(said)
	}
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		expired x509.CertificateInvalidError
		record  tls.RecordHeaderError
		lost    *lostError
		op      *net.OpError
		netErr  net.Error
	)
	text := err.Error()
	switch {
	case errors.As(err, &lost):
		return lost.Error(), "it may be restarting", true
	case errors.Is(err, fs.ErrPermission):
		return "permission denied", "add your user to the group that owns the socket, often docker, or run as root", false
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket", "", false
	case errors.Is(err, exec.ErrNotFound):
		return "there is no ssh command here", "install OpenSSH's client", false
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "", false
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s cannot be resolved", dns.Name), "check the address", false
	case errors.As(err, &unknown):
		return "its certificate is signed by an unknown authority", "check " + t.ca, false
	case errors.As(err, &name), errors.As(err, &expired):
		return "its certificate is not valid: " + text, "check the address and the engine's certificate", false
	case strings.Contains(text, "remote error: tls"):
		why, hint := t.refused()
		return why + ": " + text[strings.Index(text, "remote error: tls"):], hint, false
	case errors.As(err, &record), strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS", "unset DOCKER_TLS_VERIFY, or configure the engine with --tlsverify", false
	case errors.Is(err, errWantsTLS), strings.Contains(text, "malformed HTTP response"):
		return errWantsTLS.Error(), "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or the arguments tls_ca, tls_cert and tls_key of engine()", false
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		strings.Contains(text, "server closed idle connection"):
		return "it closed the connection", "it may be restarting", true
	case errors.As(err, &op) && op.Op == "dial":
		return op.Err.Error(), "", false
	case errors.As(err, &netErr) && netErr.Timeout():
		return "it did not answer in time", "", true
	}
	return text, "", false
}

// refused says what is wrong with our certificate, which an engine did not
// take.
func (t *target) refused() (why, hint string) {
	if t.tls == nil || len(t.tls.Certificates) == 0 {
		return "it wants a certificate of ours, and there is none", "set " + t.cert
	}
	leaf, err := x509.ParseCertificate(t.tls.Certificates[0].Certificate[0])
	if err == nil && time.Now().After(leaf.NotAfter) {
		return "our certificate expired on " + leaf.NotAfter.UTC().Format("2006-01-02"), "renew " + t.cert
	}
	return "it refused our certificate", "check " + t.cert
}

func advice(host string) string {
	switch {
	case strings.HasPrefix(host, "unix://"), strings.HasPrefix(host, "npipe://"):
		return "is the engine running? start it, or set DOCKER_HOST or DOCKER_CONTEXT"
	case strings.HasPrefix(host, "ssh://"):
		return "try: ssh " + sshHost(host) + " docker version"
	}
	return "is the engine running, and is the port open?"
}
