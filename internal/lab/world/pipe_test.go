package world

import (
	"io"
	"net"
	"testing"
)

// Docker's CLI says that it has nothing to say, and goes on to listen: through an
// engine's socket, too.
func TestHalfClosed(t *testing.T) {
	engine, its := newDuplex()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			splice(c, engine)
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		asked, err := io.ReadAll(its) // ends when the CLI has said all
		if err == nil {
			_, err = its.Write([]byte("you said " + string(asked)))
		}
		if err != nil {
			t.Error(err)
		}
		its.Close()
	}()
	if _, err := c.Write([]byte("attach")); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "you said attach" {
		t.Errorf("got %q: %v", got, err)
	}
}
