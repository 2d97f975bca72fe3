package engine

import (
	"errors"
	"fmt"

	"github.com/docker/docker/errdefs"
)

// Errors are Docker's, word by word: people search for them, and programs match
// them. Hence the capitals.

func notFound(format string, args ...any) error {
	return errdefs.NotFound(fmt.Errorf(format, args...))
}

func invalid(format string, args ...any) error {
	return errdefs.InvalidParameter(fmt.Errorf(format, args...))
}

func conflict(format string, args ...any) error {
	return errdefs.Conflict(fmt.Errorf(format, args...))
}

func forbidden(format string, args ...any) error {
	return errdefs.Forbidden(fmt.Errorf(format, args...))
}

func unavailable(format string, args ...any) error {
	return errdefs.Unavailable(fmt.Errorf(format, args...))
}

func notModified(text string) error { return errdefs.NotModified(errors.New(text)) }

func notSimulated(what string) error {
	return errdefs.NotImplemented(fmt.Errorf("not simulated: %s (this engine is a lab's: its containers have no processes)", what))
}
