package debian

import "io/fs"

// Errno is an error of a system call, in Linux's numbers and words on whatever
// system the lab runs.
type Errno int

// The errors that the machine gives.
const (
	EPERM        Errno = 1
	ENOENT       Errno = 2
	ESRCH        Errno = 3
	EIO          Errno = 5
	ENXIO        Errno = 6
	EBADF        Errno = 9
	EAGAIN       Errno = 11
	EACCES       Errno = 13
	EBUSY        Errno = 16
	EEXIST       Errno = 17
	EXDEV        Errno = 18
	ENOTDIR      Errno = 20
	EISDIR       Errno = 21
	EINVAL       Errno = 22
	EFBIG        Errno = 27
	ENOSPC       Errno = 28
	EROFS        Errno = 30
	EPIPE        Errno = 32
	ENAMETOOLONG Errno = 36
	ENOTEMPTY    Errno = 39
	ELOOP        Errno = 40
	ECONNREFUSED Errno = 111
)

var errnoTexts = map[Errno]string{
	EPERM: "Operation not permitted", ENOENT: "No such file or directory", ESRCH: "No such process", EIO: "Input/output error",
	ENXIO: "No such device or address", EBADF: "Bad file descriptor", EAGAIN: "Resource temporarily unavailable",
	EACCES: "Permission denied", EBUSY: "Device or resource busy", EEXIST: "File exists", EXDEV: "Invalid cross-device link",
	ENOTDIR: "Not a directory", EISDIR: "Is a directory", EINVAL: "Invalid argument", EFBIG: "File too large",
	ENOSPC: "No space left on device", EROFS: "Read-only file system", EPIPE: "Broken pipe",
	ENAMETOOLONG: "File name too long", ENOTEMPTY: "Directory not empty", ELOOP: "Too many levels of symbolic links",
	ECONNREFUSED: "Connection refused",
}

func (e Errno) Error() string { return errnoTexts[e] }

// Is makes errors.Is work with the errors of io/fs.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e == ENOENT
	case fs.ErrExist:
		return e == EEXIST || e == ENOTEMPTY
	case fs.ErrPermission:
		return e == EACCES || e == EPERM
	case fs.ErrInvalid:
		return e == EINVAL
	}
	return false
}

// words are what a program of the machine says, in its own way of writing.
type words string

func (w words) Error() string { return string(w) }
