// Package pattern has regular expressions that cost nothing until they are needed.
// The program has more than fifty; compiling them all takes a millisecond, and the
// start of the program does no work.
package pattern

import (
	"regexp"
	"sync"
)

// Of returns what compiles a regular expression when it is first called. It may be
// called by several goroutines. The call panics where the text is none, since that is a
// programmer's mistake.
func Of(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
