package diag

import (
	"errors"
	"io/fs"
)

// FileError strips from an error of the os package what its reader knows: the
// operation, and the absolute path.
func FileError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no such file")
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
