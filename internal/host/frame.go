package host

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The answer to a look is made of parts, a line each:
//
//	TAG NAME BASE64
//	TAG end COUNT
//
// The tag is random. What else the machine prints, such as a greeting that a
// shell's start-up file thinks is needed, has none and is passed over; an
// answer that was cut short has no end.

// frame is the shell around the parts of a look.
func frame(tag string, parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "printf '\\n%s %s '\n(\n%s\n) </dev/null 2>/dev/null | base64 -w0\n", tag, p.name, p.script)
	}
	fmt.Fprintf(&b, "printf '\\n%s end %d\\n'\n", tag, len(parts))
	return b.String()
}

// part is one section of a look: a word, and the shell that prints it.
type part struct{ name, script string }

// parseFrame returns what the parts printed, by name.
func parseFrame(tag string, out []byte) (map[string][]byte, error) {
	parts := map[string][]byte{}
	for line := range bytes.Lines(out) {
		words := strings.Fields(string(line))
		if len(words) < 2 || words[0] != tag {
			continue
		}
		if words[1] == "end" {
			n, err := strconv.Atoi(slices.Concat(words, []string{""})[2])
			if err != nil || n != len(parts) {
				return nil, fmt.Errorf("the machine's answer has %d parts of %q", len(parts), strings.Join(words[2:], " "))
			}
			return parts, nil
		}
		_, again := parts[words[1]]
		if len(words) > 3 || again {
			return nil, fmt.Errorf("the machine's answer has a damaged part %q", words[1])
		}
		text, err := base64.StdEncoding.DecodeString(strings.Join(words[2:], ""))
		if err != nil {
			return nil, fmt.Errorf("the machine's answer has a damaged part %q: %w", words[1], err)
		}
		parts[words[1]] = text
	}
	return nil, fmt.Errorf("the machine's answer was cut short after %d bytes", len(out))
}
