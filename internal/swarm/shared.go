package swarm

import (
	"bytes"
	"io"
	"strings"

	"github.com/docker/docker/pkg/stdcopy"

	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// What containers of an engine share with services beside the types of their
// arguments.

// sharedChecks are those of arguments that both kinds have, alike.
var sharedChecks = []func(r reader, p *problems){
	checkEnv, checkSignal, checkDNS, checkHealth, checkMounts, checkCaps, checkUlimits, checkHostname,
}

// CheckContainer finds what is wrong with the arguments of a container that a
// service has too.
func CheckContainer(s *schema.Struct, args value.Struct) schema.Problems {
	r, p := reader{s, args}, &problems{}
	for _, find := range sharedChecks {
		find(r, p)
	}
	return append(p.list, checkLabels("labels", r.raw("labels"))...)
}

// LastLines reads a container's log and returns its last lines.
func LastLines(rd io.Reader, tty bool) (string, error) {
	var out bytes.Buffer
	in := io.LimitReader(rd, logMax)
	var err error
	if tty {
		_, err = io.Copy(&out, in)
	} else {
		_, err = stdcopy.StdCopy(&out, &out, in)
	}
	if err != nil && out.Len() == 0 {
		return "", err
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(out.String(), "\r\n", "\n"), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-LogLines):], "\n"), nil
}
