package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func syncProgram(_ context.Context, c *call) int {
	_, rest, bad, ok := c.options("df", "data", "file-system")
	if !ok {
		return bad
	}
	code := 0
	for _, p := range rest {
		if _, err := c.fs.Stat(p); err != nil {
			c.warnf("error opening %s: %s", quoted(p), reason(err))
			code = 1
		} else if c.fs.Access(p, 4) != nil && c.fs.Access(p, 2) != nil {
			c.warnf("error opening %s: %s", quoted(p), EACCES.Error())
			code = 1
		}
	}
	return code
}

func truncateProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("s:c", "size=", "no-create")
	if !ok {
		return bad
	}
	size := int64(-1)
	for _, o := range opts {
		if o.name == "s" || o.name == "size" {
			n, err := parseSize(o.value)
			if err != nil {
				return c.fail(1, "Invalid number: %s", quoted(o.value))
			}
			size = n
		}
	}
	if size < 0 {
		return c.fail(1, "you must specify either '--size' or '--reference'")
	}
	for _, p := range rest {
		h, err := c.fs.Open(p, os.O_WRONLY|os.O_CREATE, 0o666)
		if err == nil {
			err = errors.Join(h.Truncate(size), h.Close())
		}
		if err != nil {
			return c.fail(1, "cannot open %s for writing: %s", quoted(p), reason(err))
		}
	}
	return 0
}

func ddProgram(ctx context.Context, c *call) int {
	in, out := c.stdin, c.stdout
	block, count, flag := int64(512), int64(-1), flagWrite
	quiet := false
	var skip, seek int64
	values := map[string]string{}
	for _, arg := range c.args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		values[name] = value
		var err error
		switch name {
		case "if", "of":
		case "bs", "ibs", "obs":
			block, err = parseSize(value)
		case "count":
			count, err = parseSize(value)
		case "skip":
			skip, err = parseSize(value)
		case "seek":
			seek, err = parseSize(value)
		case "status":
			quiet = value == "none"
		case "conv":
			for _, w := range strings.Split(value, ",") {
				switch w {
				case "notrunc":
					flag = os.O_WRONLY | os.O_CREATE
				case "fsync", "fdatasync", "sync":
				default:
					return c.notSimulated(arg)
				}
			}
		case "iflag", "oflag":
			if value == "append" && name == "oflag" {
				flag = flagAppend
			} else if value != "direct" && value != "fullblock" && value != "sync" {
				return c.notSimulated(arg)
			}
		default:
			return c.fail(1, "unrecognized operand %s", quoted(arg))
		}
		if err != nil {
			return c.fail(1, "invalid number: %s", quoted(value))
		}
	}
	if p := values["if"]; p != "" {
		h, err := c.fs.Open(p, flagRead, 0)
		if err != nil {
			return c.fail(1, "failed to open %s: %s", quoted(p), reason(err))
		}
		defer h.Close()
		in = h
	}
	if p := values["of"]; p != "" {
		h, err := c.fs.Open(p, flag, 0o666)
		if err != nil {
			return c.fail(1, "failed to open %s: %s", quoted(p), reason(err))
		}
		defer h.Close()
		h.Seek(seek*block, io.SeekStart)
		out = h
	}
	if block < 1 || block > 1<<30 {
		return c.fail(1, "invalid number: %s", quoted(values["bs"]))
	}
	return c.copyBlocks(ctx, in, out, block, count, skip, quiet)
}

func (c *call) copyBlocks(ctx context.Context, in io.Reader, out io.Writer, block, count, skip int64, quiet bool) int {
	buf := make([]byte, block)
	var whole, part, total int64
	for ; skip > 0; skip-- {
		if _, err := io.ReadFull(in, buf); err != nil {
			break
		}
	}
	code := 0
	for i := int64(0); (count < 0 || i < count) && ctx.Err() == nil; i++ {
		n, err := io.ReadFull(in, buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				c.warnf("error writing: %s", reason(err))
				code = 1
				break
			}
			total += int64(n)
			if int64(n) == block {
				whole++
			} else {
				part++
			}
		}
		if err != nil {
			break
		}
	}
	if !quiet {
		c.flush()
		fmt.Fprintf(c.stderr, "%d+%d records in\n%d+%d records out\n%d bytes copied\n", whole, part, whole, part, total)
	}
	return code
}

func duProgram(_ context.Context, c *call) int {
	opts, rest, bad, ok := c.options("shkbmac", "summarize", "human-readable", "bytes")
	if !ok {
		return bad
	}
	human, bytes := false, false
	for _, o := range opts {
		human = human || o.name[0] == 'h'
		bytes = bytes || o.name[0] == 'b'
	}
	if len(rest) == 0 {
		rest = []string{"."}
	}
	for _, p := range rest {
		var total int64
		code := c.tree(p, true, "cannot access", func(_ string, st Stat) int {
			if bytes {
				total += st.Size
			} else {
				total += (st.Size + 4095) / 4096 * 4096
			}
			return 0
		})
		if code != 0 {
			return code
		}
		switch {
		case human:
			c.printf("%s\t%s\n", humanSize(total), p)
		case bytes:
			c.printf("%d\t%s\n", total, p)
		default:
			c.printf("%d\t%s\n", total/1024, p)
		}
	}
	return 0
}

func fileProgram(_ context.Context, c *call) int {
	for _, p := range c.args[1:] {
		st, err := c.fs.Lstat(p)
		kind := ""
		switch {
		case err != nil:
			kind = "cannot open `" + p + "' (" + reason(err) + ")"
		case st.Kind == Link:
			kind = "symbolic link to " + st.Link
		case st.IsDir():
			kind = "directory"
		case st.Kind == Socket:
			kind = "socket"
		case st.Kind == Device:
			kind = "character special"
		case st.Size == 0:
			kind = "empty"
		default:
			data, _ := c.fs.ReadFile(p)
			kind = contentKind(data)
		}
		c.printf("%s: %s\n", p, kind)
	}
	return 0
}

func contentKind(data []byte) string {
	s := string(data[:min(len(data), 512)])
	switch {
	case strings.HasPrefix(s, "\x7fELF"):
		return "ELF 64-bit LSB executable"
	case strings.HasPrefix(s, "#!"):
		return "script, ASCII text executable"
	case strings.ContainsRune(s, 0):
		return "data"
	}
	return "ASCII text"
}
