package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// TCPSpec is what a script says of a check_tcp. The connection is made by the
// machine that swarmscript runs on.
type TCPSpec struct {
	Address string `star:"address,required,pos" doc:"The address to connect to, as host:port."`
	Name    string `star:"name,local" doc:"The check's name; its address where it is not given."`
	Expect  string `star:"expect" doc:"A regular expression that what the server says first must match: a banner such as ^SSH-. Where it is not given, a connection is enough."`

	Interval   time.Duration `star:"interval" default:"5s" min:"1000000" doc:"The longest pause between two tries; the first ones are shorter."`
	TryTimeout time.Duration `star:"try_timeout" default:"10s" min:"1000000" doc:"How long one try may take; timeout is for all of them."`
}

// TCPKind is a check that an address takes connections.
var TCPKind = &resource.Kind{
	Name:    "check_tcp",
	Schema:  tcpSchema,
	Check:   checkTCP,
	Unnamed: firstText,
	Verify:  verifyTCP,
}

var tcpSchema = schema.Of(TCPSpec{})

// SchemaName implements [schema.Named].
func (TCPSpec) SchemaName() (name, doc string) {
	return "check_tcp", "Connects to an address until it takes the connection, after what it comes after has converged; otherwise the apply fails. It is made when something that it comes after changes, and by `swarmscript check`."
}

func checkTCP(args value.Struct) (out schema.Problems) {
	address, _ := tcpSchema.Field("address")
	if s, ok := args[address.Index].(string); ok {
		if host, port, err := net.SplitHostPort(s); err != nil || host == "" || port == "" {
			out = append(out, &schema.Problem{Path: "address", Msg: fmt.Sprintf("got %q, want host:port", s)})
		}
	}
	expect, _ := tcpSchema.Field("expect")
	if s, ok := args[expect.Index].(string); ok {
		if _, err := regexp.Compile(s); err != nil {
			out = append(out, &schema.Problem{Path: "expect", Msg: err.Error()})
		}
	}
	return out
}

func verifyTCP(ctx context.Context, _ resource.Conn, r *resource.Request) error {
	spec := &TCPSpec{}
	if err := tcpSchema.Decode(r.Args, spec); err != nil {
		return err
	}
	var banner *regexp.Regexp
	if spec.Expect != "" {
		var err error
		if banner, err = regexp.Compile(spec.Expect); err != nil {
			return err
		}
	}
	return until(ctx, r, Pace{spec.Interval, spec.TryTimeout}, func(ctx context.Context) *failure {
		return tryTCP(ctx, spec, banner)
	})
}

// bannerMax is how much a server may say before it is given up.
const bannerMax = 4096

func tryTCP(ctx context.Context, spec *TCPSpec, banner *regexp.Regexp) *failure {
	begun := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", spec.Address)
	if err != nil {
		return &failure{short: connProblem(ctx, err, spent(begun, spec.TryTimeout))}
	}
	defer conn.Close()
	if banner == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var got []byte
	buf := make([]byte, 512)
	for len(got) < bannerMax {
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if banner.Match(got) {
			return nil
		}
		if err != nil {
			break
		}
	}
	short := fmt.Sprintf("it took the connection, but said nothing that matches %q", spec.Expect)
	return &failure{short: short, detail: excerpt("banner", got)}
}

// connProblem says why there is no answer, without what net and http put in
// front of it: the address is known.
func connProblem(ctx context.Context, err error, took string) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || os.IsTimeout(err) {
		return "no answer in " + took
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Sprintf("the name %s could not be resolved: %s", dns.Name, dns.Err)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		text := strings.TrimPrefix(op.Err.Error(), "connect: ")
		if op.Addr != nil {
			return text + " (" + op.Addr.String() + ")"
		}
		return text
	}
	return err.Error()
}
