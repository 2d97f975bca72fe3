//lint:file-ignore ST1005 these words are Docker's

package cluster

import (
	"fmt"
	"math"
	"strings"

	"github.com/docker/docker/errdefs"
	"google.golang.org/grpc"
)

// anySize lets a list be as long as it is.
var anySize = grpc.MaxCallRecvMsgSize(math.MaxInt32)

// find looks an object up as Docker does: by its full ID, by its name, by the
// beginning of its ID.
func find[T any](kind, input string, get func(id string) (T, error), list func(names, prefixes []string) ([]T, error)) (T, error) {
	if got, err := get(input); err == nil {
		return got, nil
	}
	var none T
	found, err := list([]string{input}, nil)
	if err != nil || len(found) == 0 {
		found, err = list(nil, []string{input})
	}
	switch {
	case err != nil:
		return none, err
	case len(found) == 0:
		return none, errdefs.NotFound(fmt.Errorf("%s %s not found", kind, input))
	case len(found) > 1:
		return none, errdefs.InvalidParameter(fmt.Errorf("%s %s is ambiguous (%d matches found)", kind, input, len(found)))
	}
	return found[0], nil
}

// all brings what SwarmKit has into Docker's form.
func all[From, To any](from []*From, to func(From) To) []To {
	list := make([]To, 0, len(from))
	for _, f := range from {
		list = append(list, to(*f))
	}
	return list
}

// labelFilter is a filter's key=value pairs.
func labelFilter(values []string) map[string]string {
	labels := make(map[string]string, len(values))
	for _, v := range values {
		key, value, _ := strings.Cut(v, "=")
		labels[key] = value
	}
	return labels
}

// enum reads a filter's values as those of one of SwarmKit's enumerations.
func enum[T ~int32](filter string, values []string, known map[string]int32) ([]T, error) {
	var list []T
	for _, v := range values {
		if value, ok := known[strings.ToUpper(v)]; ok {
			list = append(list, T(value))
		} else if v != "" {
			return nil, fmt.Errorf("Invalid %s filter: '%s'", filter, v)
		}
	}
	return list, nil
}
