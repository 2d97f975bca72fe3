package sshd

import (
	"bytes"
	"context"
	"io"
	"sync"

	"golang.org/x/term"
)

// terminal is a person at a shell: a line at a time, with a history, while no
// command runs; while one does, what is typed goes to it, and ^C ends it.
func (s *session) terminal(ctx context.Context) int {
	keys := newKeyboard(s.ch)
	out := &crlf{w: s.ch}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, s.ch}, "")
	s.mu.Lock()
	t.SetSize(max(s.width, 20), max(s.height, 5))
	s.resize = func(w, h int) { t.SetSize(max(w, 20), max(h, 5)) }
	s.mu.Unlock()
	sh, err := s.cfg.System.Login(s.conn.User(), s.environ())
	if err != nil {
		io.WriteString(out, err.Error()+"\n")
		return 1
	}
	defer sh.Close()
	io.WriteString(out, sh.Greeting())
	pending := ""
	for {
		prompt := sh.Prompt()
		if pending != "" {
			prompt = "> "
		}
		t.SetPrompt(prompt)
		line, err := t.ReadLine()
		if err == io.EOF && keys.interrupted() {
			io.WriteString(out, "^C\n")
			pending = ""
			continue
		}
		if err != nil {
			io.WriteString(out, "exit\n")
			return sh.Status()
		}
		pending += line + "\n"
		if sh.Incomplete(pending) {
			continue
		}
		runCtx, stop := context.WithCancel(ctx)
		in := keys.command(s.ch, func() { stop() })
		over := sh.Run(runCtx, pending, in, out, out)
		in.close()
		stop()
		pending = ""
		if over {
			return sh.Status()
		}
	}
}

// crlf writes newlines as a terminal wants them.
type crlf struct {
	mu sync.Mutex
	w  io.Writer
}

func (c *crlf) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.w.Write(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")))
	return len(b), err
}

// keyboard is what is typed. It goes to the line editor, or to the command that runs.
type keyboard struct {
	mu   sync.Mutex
	cond *sync.Cond
	buf  []byte
	err  error
	cut  bool    // ^C at the prompt
	to   *cooked // the command that runs
}

func newKeyboard(r io.Reader) *keyboard {
	k := &keyboard{}
	k.cond = sync.NewCond(&k.mu)
	go func() { // ends with the channel
		buf := make([]byte, 1024)
		for {
			n, err := r.Read(buf)
			k.mu.Lock()
			for _, b := range buf[:n] {
				if k.to != nil {
					k.to.key(b)
				} else {
					k.buf = append(k.buf, b)
				}
			}
			if err != nil {
				k.err = err
				if k.to != nil {
					k.to.end()
				}
			}
			k.cond.Broadcast()
			k.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return k
}

// Read gives the line editor what was typed. ^C ends a line.
func (k *keyboard) Read(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.buf) == 0 {
		if k.err != nil {
			return 0, io.EOF
		}
		k.cond.Wait()
	}
	if k.buf[0] == 3 {
		k.cut = true
	}
	n := copy(b[:min(1, len(b))], k.buf)
	k.buf = k.buf[n:]
	return n, nil
}

// interrupted reports whether the line ended with ^C.
func (k *keyboard) interrupted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.cut
	k.cut = false
	return was
}

// cooked is the standard input of a command: lines, which are shown as they are typed.
type cooked struct {
	k         *keyboard
	echo      io.Writer
	interrupt func()
	line      []byte
	ready     []byte
	over      bool
}

func (k *keyboard) command(echo io.Writer, interrupt func()) *cooked {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.to = &cooked{k: k, echo: echo, interrupt: interrupt}
	for _, b := range k.buf {
		k.to.key(b)
	}
	k.buf = nil
	return k.to
}

// key takes one key, under the keyboard's lock.
func (c *cooked) key(b byte) {
	switch b {
	case 3:
		io.WriteString(c.echo, "^C\r\n")
		c.line = nil
		c.interrupt()
	case 4:
		if len(c.line) == 0 {
			c.over = true
		}
		c.ready, c.line = append(c.ready, c.line...), nil
	case 127, 8:
		if len(c.line) > 0 {
			c.line = c.line[:len(c.line)-1]
			io.WriteString(c.echo, "\b \b")
		}
	case '\r', '\n':
		io.WriteString(c.echo, "\r\n")
		c.ready, c.line = append(append(c.ready, c.line...), '\n'), nil
	default:
		c.echo.Write([]byte{b})
		c.line = append(c.line, b)
	}
}

func (c *cooked) end() { c.over = true }

// Read gives the command the lines that are complete.
func (c *cooked) Read(b []byte) (int, error) {
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	for len(c.ready) == 0 {
		if c.over {
			return 0, io.EOF
		}
		c.k.cond.Wait()
	}
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// close gives the keyboard back to the line editor, with what was not read.
func (c *cooked) close() {
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	c.over = true
	c.k.buf = append(c.k.buf, append(c.ready, c.line...)...)
	c.k.to = nil
	c.k.cond.Broadcast()
}
