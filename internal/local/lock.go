package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// lockWait is how often a lock is tried that somebody else holds.
const lockWait = 20 * time.Millisecond

// lockFile makes and locks a file, waiting until it can. The lock goes when the
// file is closed, or the process ends, whatever way.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := tryLockFile(path, os.O_CREATE)
		if f != nil || err != nil {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockWait):
		}
	}
}

// TryLock makes and locks a file for as long as it is open and the process lives.
// It gives nil where somebody else holds it.
func TryLock(path string) (*os.File, error) { return tryLockFile(path, os.O_CREATE) }

// tryLockFile locks a file, and gives nil where somebody else holds it.
func tryLockFile(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	locked, err := tryLock(f)
	if err == nil && locked {
		// The one who had it may have removed the file, and another may have made a
		// new one: then this lock keeps nobody out.
		var same bool
		if same, err = isAt(f, path); same {
			return f, nil
		}
	}
	f.Close()
	return nil, err
}

func isAt(f *os.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}
