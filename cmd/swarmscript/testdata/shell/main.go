// Command shell stands in for a shell in test containers, which hold none. It
// prints what its lines ask for: size, env NAME, tty, exit CODE. Ctrl-C ends it with 42.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

func main() {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	go func() {
		<-interrupt
		fmt.Println("interrupted")
		os.Exit(42)
	}()
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word, rest, _ := strings.Cut(strings.TrimSpace(in.Text()), " ")
		switch word {
		case "size":
			w := winsize()
			fmt.Printf("size %d x %d\n", w.cols, w.rows)
		case "env":
			fmt.Printf("%s is %s\n", rest, os.Getenv(rest))
		case "tty":
			fmt.Printf("tty %t\n", winsize().rows > 0)
		case "exit":
			code, _ := strconv.Atoi(rest)
			os.Exit(code)
		}
	}
	fmt.Println("end of input")
}

type size struct{ rows, cols, x, y uint16 }

func winsize() (s size) {
	syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&s)))
	return s
}
