package debian

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
)

func base64Program(_ context.Context, c *call) int {
	opts, files, bad, ok := c.options("dw:i", "decode", "wrap=", "ignore-garbage")
	if !ok {
		return bad
	}
	wrap, decode := 76, false
	for _, o := range opts {
		switch o.name {
		case "d", "decode":
			decode = true
		case "w", "wrap":
			n, err := strconv.Atoi(o.value)
			if err != nil || n < 0 {
				return c.fail(1, "invalid wrap size: '%s'", o.value)
			}
			wrap = n
		}
	}
	return c.each(files, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if decode {
			out, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
			c.stdout.Write(out)
			if err != nil {
				return EINVAL
			}
			return nil
		}
		s := base64.StdEncoding.EncodeToString(data)
		if wrap == 0 {
			_, err = io.WriteString(c.stdout, s)
			return err
		}
		for ; s != ""; s = s[min(len(s), wrap):] {
			if _, err := fmt.Fprintln(c.stdout, s[:min(len(s), wrap)]); err != nil {
				return err
			}
		}
		return nil
	})
}

func sumProgram(kind func() hash.Hash) command {
	return func(_ context.Context, c *call) int {
		opts, files, bad, ok := c.options("zcbt", "zero", "check", "quiet", "status")
		if !ok {
			return bad
		}
		end, check, quiet := "\n", false, false
		for _, o := range opts {
			switch o.name {
			case "z", "zero":
				end = "\x00"
			case "c", "check":
				check = true
			case "quiet", "status":
				quiet = true
			}
		}
		if check {
			return checkSums(c, kind, files, quiet)
		}
		return c.each(files, func(name string, r io.Reader) error {
			h := kind()
			if _, err := io.Copy(h, r); err != nil {
				return err
			}
			escape := ""
			if end == "\n" && strings.ContainsAny(name, "\n\\") {
				escape = `\`
				name = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(name)
			}
			_, err := fmt.Fprintf(c.stdout, "%s%s  %s%s", escape, hex.EncodeToString(h.Sum(nil)), name, end)
			return err
		})
	}
}

func checkSums(c *call, kind func() hash.Hash, files []string, quiet bool) int {
	bad := 0
	code := c.each(files, func(_ string, r io.Reader) error {
		return eachLine(r, func(line []byte, _ bool) error {
			sum, name, ok := strings.Cut(string(line), "  ")
			if !ok {
				return nil
			}
			data, err := c.fs.ReadFile(name)
			h := kind()
			h.Write(data)
			switch {
			case err != nil:
				c.warnf("%s: %s", name, reason(err))
				c.printf("%s: FAILED open or read\n", name)
				bad++
			case hex.EncodeToString(h.Sum(nil)) != sum:
				c.printf("%s: FAILED\n", name)
				bad++
			case !quiet:
				c.printf("%s: OK\n", name)
			}
			return nil
		})
	})
	if bad > 0 {
		c.warnf("WARNING: %d computed checksum did NOT match", bad)
		return 1
	}
	return code
}
