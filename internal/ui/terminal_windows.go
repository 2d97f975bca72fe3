package ui

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableEscapes switches the console to understand escape codes, which older
// ones do only when asked.
func enableEscapes(out *os.File, _ func(string) string) bool {
	h := windows.Handle(out.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
