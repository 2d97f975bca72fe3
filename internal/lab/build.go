package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
)

// buildHead is how much of a program's file holds its Go build ID, whatever the
// system: that much the go command itself reads to find it.
const buildHead = 32 << 10

// Build tells binaries apart, so that a lab's process is of the same one as who
// talks to it. It is a digest of the part of the file with the build ID, in which
// the linker wrote what it made the program of: reading all of it would take
// longer than a plan.
var Build = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, f, buildHead); err != nil && err != io.EOF {
		return "", err
	}
	fmt.Fprint(sum, info.Size())
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
})
