// Package begin keeps the start of the program short. Most of it is the set-up of
// packages that hundreds of others bring with them, which makes garbage that is not
// worth collecting before there is something to do.
//
// Packages are set up in the order of their paths as far as their imports allow, so
// one that imports nearly nothing comes before those that cost something.
package begin

import "runtime/debug"

var percent = debug.SetGCPercent(-1)

// Collect lets garbage be collected from here on.
func Collect() { debug.SetGCPercent(percent) }
