package ui

import "strings"

// Clean is text of several lines with the control characters in each escaped.
func Clean(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}
