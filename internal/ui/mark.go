package ui

import "io"

// marks are the words that a line of results may begin with.
var marks = map[string]string{"ok": green, "FAIL": red, "skip": yellow}

// Mark writes a line of a list of results: how it ended, and what.
func Mark(w io.Writer, word, text string, style Style) {
	o := &out{w: w, Style: style}
	o.in(marks[word], word)
	o.spaces(max(0, 6-len(word)))
	o.str(clean(text))
	o.endLine()
	o.flush() // a line that is not written shows in the next
}
