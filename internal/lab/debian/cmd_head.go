package debian

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"time"
)

// counts takes -n, -c and -NUMBER of head and tail.
type counts struct {
	n     string
	bytes bool
	quiet bool
	loud  bool
	zero  bool
}

func (c *call) counts(extra string, long ...string) (k counts, opts []option, files []string, bad int, ok bool) {
	k.n = "10"
	if len(c.args) > 1 && len(c.args[1]) > 1 && c.args[1][0] == '-' && c.args[1][1] >= '0' && c.args[1][1] <= '9' {
		c.args = slices.Concat(c.args[:1], []string{"-n", c.args[1][1:]}, c.args[2:])
	}
	opts, files, bad, ok = c.options("n:c:qvz"+extra, append(long, "lines=", "bytes=", "quiet", "silent", "verbose", "zero-terminated")...)
	for _, o := range opts {
		switch o.name {
		case "n", "lines":
			k.n, k.bytes = o.value, false
		case "c", "bytes":
			k.n, k.bytes = o.value, true
		case "q", "quiet", "silent":
			k.quiet = true
		case "v", "verbose":
			k.loud = true
		case "z", "zero-terminated":
			k.zero = true
		}
	}
	return k, opts, files, bad, ok
}

// heading prints which of several files comes.
func (k counts) heading(c *call, name string, files []string, first *bool) {
	if k.loud || len(files) > 1 && !k.quiet {
		if !*first {
			c.printf("\n")
		}
		if name == "-" {
			name = "standard input"
		}
		c.printf("==> %s <==\n", name)
	}
	*first = false
}

func (k counts) end() byte {
	if k.zero {
		return 0
	}
	return '\n'
}

func headProgram(_ context.Context, c *call) int {
	k, _, files, bad, ok := c.counts("")
	if !ok {
		return bad
	}
	n, err := parseSize(strings.TrimPrefix(k.n, "-"))
	if err != nil {
		return c.fail(1, "invalid number of lines: '%s'", k.n)
	}
	butLast := strings.HasPrefix(k.n, "-")
	first := true
	return c.each(files, func(name string, r io.Reader) error {
		k.heading(c, name, files, &first)
		switch {
		case butLast:
			data, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(withoutLast(data, int(n), k))
			return err
		case k.bytes: // and not one more
			_, err := io.CopyN(c.stdout, r, n)
			if err == io.EOF {
				err = nil
			}
			return err
		}
		return c.headLines(r, n, k.end())
	})
}

// headLines prints lines, and leaves what follows where it can be put back.
func (c *call) headLines(r io.Reader, n int64, end byte) error {
	if n == 0 {
		return nil
	}
	one, ok := r.(io.ByteReader)
	if h, isFile := r.(*Handle); isFile {
		one, ok = bufio.NewReader(h), true
	}
	if !ok {
		one = bufio.NewReader(r)
	}
	for n > 0 {
		b, err := one.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := c.stdout.Write([]byte{b}); err != nil {
			return err
		}
		if b == end {
			n--
		}
	}
	return nil
}

func withoutLast(data []byte, n int, k counts) []byte {
	if k.bytes {
		return data[:max(0, len(data)-n)]
	}
	return data[:len(data)-len(lastLines(data, n, k.end()))]
}

// lastLines is the end of a text.
func lastLines(data []byte, n int, end byte) []byte {
	at := len(data)
	if at > 0 && data[at-1] == end {
		at--
	}
	if n == 0 {
		return nil
	}
	for ; n > 0; n-- {
		i := bytes.LastIndexByte(data[:at], end)
		if i < 0 {
			return data
		}
		at = i
	}
	return data[at+1:]
}

func tailProgram(ctx context.Context, c *call) int {
	k, opts, files, bad, ok := c.counts("fF", "follow")
	if !ok {
		return bad
	}
	follow := slices.ContainsFunc(opts, func(o option) bool { return o.name == "f" || o.name == "F" || o.name == "follow" })
	n, err := parseSize(strings.TrimLeft(k.n, "+-"))
	if err != nil {
		return c.fail(1, "invalid number of lines: '%s'", k.n)
	}
	first := true
	code := c.each(files, func(name string, r io.Reader) error {
		k.heading(c, name, files, &first)
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(tailOf(data, int(n), k))
		return err
	})
	if !follow || len(files) != 1 {
		return code
	}
	return c.follow(ctx, files[0])
}

func tailOf(data []byte, n int, k counts) []byte {
	switch {
	case k.bytes && strings.HasPrefix(k.n, "+"):
		return data[min(len(data), max(0, n-1)):]
	case k.bytes:
		return data[max(0, len(data)-n):]
	case strings.HasPrefix(k.n, "+"):
		for ; n > 1; n-- {
			i := bytes.IndexByte(data, k.end())
			if i < 0 {
				return nil
			}
			data = data[i+1:]
		}
		return data
	}
	return lastLines(data, n, k.end())
}

// follow prints what is added to a file.
func (c *call) follow(ctx context.Context, name string) int {
	h, err := c.fs.Open(name, flagRead, 0)
	if err != nil {
		return 1
	}
	defer h.Close()
	h.Seek(0, io.SeekEnd)
	for {
		if _, err := io.Copy(c.stdout, h); err != nil || c.flush() != nil {
			return 1
		}
		select {
		case <-ctx.Done():
			return 0
		case <-time.After(200 * time.Millisecond):
		}
	}
}
