// Command tool is what test images run, as they have no shell.
//
//	cat FILE          prints a file
//	say WORD... FAIL  prints words, one a line, and fails if the last one is FAIL
//	copy FROM TO      copies a file
//	has FILE          succeeds if there is such a file
//	hasnot FILE       succeeds if there is none
//	agent             asks the SSH agent how many keys it has
//	wait              waits until it is ended
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func run(mode string, args []string) error {
	switch mode {
	case "cat", "copy":
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		if mode == "copy" {
			return os.WriteFile(args[1], text, 0o644)
		}
		fmt.Printf("it holds %s\n", text)
	case "say":
		for _, w := range args {
			fmt.Println(w)
		}
		if args[len(args)-1] == "FAIL" {
			return fmt.Errorf("that was the last word")
		}
	case "has", "hasnot":
		if _, err := os.Stat(args[0]); (err == nil) != (mode == "has") {
			return fmt.Errorf("%s: %v", args[0], err)
		}
	case "agent":
		return agent()
	case "wait":
		select {}
	}
	return nil
}

// agent asks for identities: SSH_AGENTC_REQUEST_IDENTITIES.
func agent() error {
	conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0, 0, 0, 1, 11}); err != nil {
		return err
	}
	answer := make([]byte, 9)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if answer[4] != 12 || answer[8] != 1 {
		return fmt.Errorf("the agent answers %v", answer)
	}
	return nil
}
