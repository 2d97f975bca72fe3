// Command generate writes the generated part of spec.md.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/swarmscript/swarmscript/internal/docs"
)

func main() {
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var part bytes.Buffer
	if err := docs.Markdown(&part); err != nil {
		return err
	}
	out, err := docs.Splice(string(text), part.String())
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(out), 0o644)
}
