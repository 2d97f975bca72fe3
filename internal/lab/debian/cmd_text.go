package debian

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// textPrograms are those that read and write text.
func textPrograms() map[string]program {
	return in("/usr/bin", map[string]command{
		"cat": catProgram, "head": headProgram, "tail": tailProgram, "wc": wcProgram, "base64": base64Program,
		"sha256sum": sumProgram(sha256.New), "sha1sum": sumProgram(sha1.New), "sha512sum": sumProgram(sha512.New), "md5sum": sumProgram(md5.New),
		"cut": cutProgram, "tr": trProgram, "sort": sortProgram, "uniq": uniqProgram, "tee": teeProgram, "grep": grepProgram,
		"egrep": grepProgram, "fgrep": grepProgram, "sed": sedProgram, "seq": seqProgram, "yes": yesProgram, "tac": tacProgram, "rev": revProgram,
		"basename": basenameProgram, "dirname": dirnameProgram, "cmp": cmpProgram, "nl": nlProgram, "paste": pasteProgram, "comm": commProgram,
		"less": catProgram, "more": catProgram, "od": odProgram, "awk": awkProgram, "mawk": awkProgram,
	})
}

// readAll reads standard input to its end.
func (c *call) readAll() ([]byte, error) { return io.ReadAll(io.LimitReader(c.stdin, 1<<30)) }

// open opens a file to be read; "-" is standard input.
func (c *call) open(p string) (io.ReadCloser, error) {
	if p == "-" {
		return io.NopCloser(c.stdin), nil
	}
	if n, ok := descriptorPath(p); ok {
		if s := c.fds.at(n); s != nil {
			return io.NopCloser(s), nil
		}
	}
	h, err := c.fs.Open(p, flagRead, 0)
	if err != nil {
		return nil, err
	}
	if h.Stat().IsDir() {
		h.Close()
		return nil, pathError("read", p, EISDIR)
	}
	return h, nil
}

// each calls a function for each file that is named, or for standard input, and says
// which could not be opened. It returns the exit code.
func (c *call) each(files []string, do func(name string, r io.Reader) error) int {
	if len(files) == 0 {
		files = []string{"-"}
	}
	code := 0
	for _, f := range files {
		r, err := c.open(f)
		if err == nil {
			err = do(f, r)
			r.Close()
		}
		if err != nil {
			if Is(err, EPIPE) {
				return 128 + 13
			}
			switch c.name() {
			case "head", "tail":
				c.warnf("cannot open %s for reading: %s", quoted(f), reason(err))
			case "sort":
				c.warnf("cannot read: %s: %s", f, reason(err))
			case "base64":
				if Is(err, EINVAL) {
					c.warnf("invalid input")
				} else {
					c.warnf("%s: %s", f, reason(err))
				}
			default:
				c.warnf("%s: %s", f, reason(err))
			}
			code = 1
		}
	}
	return code
}

func catProgram(ctx context.Context, c *call) int {
	opts, files, bad, ok := c.options("nuAveEtTs", "number", "show-all")
	if !ok {
		return bad
	}
	number, marks := false, false
	for _, o := range opts {
		switch o.name {
		case "n", "number":
			number = true
		case "A", "show-all":
			marks = true
		case "u":
		default:
			return c.notSimulated("option -" + o.name)
		}
	}
	line := 0
	return c.each(files, func(_ string, r io.Reader) error {
		if number || marks {
			return eachLine(r, func(s []byte, ended bool) error {
				line++
				if number {
					c.printf("%6d\t", line)
				}
				if marks {
					s = bytes.ReplaceAll(s, []byte("\t"), []byte("^I"))
					if ended {
						s = append(slices.Clone(s), '$')
					}
				}
				return c.line(s, ended)
			})
		}
		return c.copy(ctx, r)
	})
}

// copy copies to standard output, as it comes.
func (c *call) copy(ctx context.Context, r io.Reader) error {
	buf := make([]byte, 32<<10)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := c.stdout.Write(buf[:n]); err != nil {
				return err
			}
			if err := c.flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eachLine calls a function for each line, without its end.
func eachLine(r io.Reader, do func(line []byte, ended bool) error) error {
	return eachPart(r, '\n', do)
}

func eachPart(r io.Reader, end byte, do func(line []byte, ended bool) error) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes(end)
		ended := err == nil
		if ended {
			line = line[:len(line)-1]
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(line) > 0 || ended {
			if err := do(line, ended); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// errEnough ends eachLine early.
var errEnough = io.ErrShortBuffer

// line prints a line.
func (c *call) line(s []byte, ended bool) error {
	c.stdout.Write(s)
	if !ended {
		return nil
	}
	_, err := c.stdout.Write([]byte("\n"))
	return err
}

// size reads a number with k, M, G and the like.
func parseSize(s string) (int64, error) {
	units := map[string]int64{"": 1, "b": 512, "k": 1 << 10, "K": 1 << 10, "KiB": 1 << 10, "kB": 1000, "KB": 1000, "M": 1 << 20, "MiB": 1 << 20, "MB": 1e6, "G": 1 << 30, "GiB": 1 << 30, "GB": 1e9, "T": 1 << 40, "TiB": 1 << 40, "c": 1, "w": 2}
	end := len(s)
	for end > 0 && (s[end-1] < '0' || s[end-1] > '9') {
		end--
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	unit, ok := units[s[end:]]
	if err != nil || !ok {
		return 0, fmt.Errorf("invalid number: '%s'", s)
	}
	return n * unit, nil
}

func wcProgram(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("lwcm", "lines", "words", "bytes", "chars")
	if !ok {
		return bad
	}
	show := ""
	for _, o := range opts {
		show += o.name[:1]
	}
	if show == "" {
		show = "lwb"
	}
	show = strings.ReplaceAll(show, "c", "b")
	show = strings.ReplaceAll(show, "m", "b")
	var total [3]int64
	width := 7
	if len(files) > 0 || strings.Trim(show, show[:1]) == "" {
		width = 1
	}
	var rows [][3]int64
	var labels []string
	code := c.each(files, func(name string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		n := [3]int64{int64(bytes.Count(data, []byte("\n"))), int64(len(bytes.Fields(data))), int64(len(data))}
		for i := range n {
			total[i] += n[i]
		}
		rows, labels = append(rows, n), append(labels, name)
		return nil
	})
	if len(files) > 1 {
		rows, labels = append(rows, total), append(labels, "total")
	}
	if len(files) > 0 && len(show) > 1 || len(files) > 1 {
		width = len(strconv.FormatInt(total[2], 10))
	}
	for i, row := range rows {
		var out []string
		for k, letter := range "lwb" {
			if strings.ContainsRune(show, letter) {
				out = append(out, fmt.Sprintf("%*d", width, row[k]))
			}
		}
		if len(files) > 0 {
			out = append(out, labels[i])
		}
		c.printf("%s\n", strings.Join(out, " "))
	}
	return code
}

func teeProgram(ctx context.Context, c *call) int {
	opts, files, bad, ok := c.options("ai", "append", "ignore-interrupts")
	if !ok {
		return bad
	}
	flag := flagWrite
	for _, o := range opts {
		if o.name == "a" || o.name == "append" {
			flag = flagAppend
		}
	}
	to := []io.Writer{c.stdout}
	code := 0
	for _, f := range files {
		if n, ok := descriptorPath(f); ok && c.fds.at(n) != nil {
			to = append(to, c.fds.at(n))
			continue
		}
		h, err := c.fs.Open(f, flag, 0o666)
		if err != nil {
			c.warnf("%s: %s", f, reason(err))
			code = 1
			continue
		}
		defer h.Close()
		to = append(to, h)
	}
	buf := make([]byte, 32<<10)
	for ctx.Err() == nil {
		n, err := c.stdin.Read(buf)
		for i, w := range to {
			if n == 0 {
				break
			}
			if _, err := w.Write(buf[:n]); err != nil && i > 0 {
				c.warnf("%s: %s", files[min(i-1, len(files)-1)], reason(err))
				code = 1
			}
		}
		c.flush()
		if err != nil {
			break
		}
	}
	return code
}
