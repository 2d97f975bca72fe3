package scripttest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// table is what a test can do, as spec.md has it.
func table() string {
	var b strings.Builder
	b.WriteString("| call | does |\n| --- | --- |\n")
	for _, m := range methods() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(m.signature, "|", `\|`), m.doc)
	}
	return b.String()
}

func TestSpecification(t *testing.T) {
	text, err := os.ReadFile("../../spec.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), table()) {
		t.Errorf("spec.md does not have this table:\n%s", table())
	}
}
