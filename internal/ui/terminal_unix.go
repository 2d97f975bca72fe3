//go:build !windows

package ui

import "os"

// enableEscapes reports whether the terminal understands escape codes. A
// terminal without a TERM is one that nobody has described.
func enableEscapes(_ *os.File, getenv func(string) string) bool { return getenv("TERM") != "" }
