// Package debian simulates one Debian machine as a person or a script sees it over
// SSH: a file system of its own, accounts, processes, a POSIX shell and the
// commands that go with it, packages and units.
//
// Nothing of it is real but the behaviour: no process of the computer is started
// and none of its files is read. Every command is a Go function over the
// machine's file system. A command or an option that is not known fails and says
// so; nothing pretends to have worked.
//
// Scripts are parsed and words are expanded by mvdan.cc/sh. Its interpreter is
// not used: it looks for commands and sourced files on the computer itself, has no
// file descriptors above 2, no umask, no traps for signals, and no process ids.
package debian
