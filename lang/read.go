package lang

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// maxFile bounds one file that is read: a script, a module, read_file().
const maxFile = 16 << 20

// Read is one input that an evaluation depended on.
type Read struct {
	Kind      string // "module", "file", "folder", "env", "var"
	Name      string
	Digest    string // hex SHA-256; "" where the input was not set, or is sensitive
	Sensitive bool
}

// readKey is what an input is known by.
type readKey struct{ kind, name string }

// Reads returns everything that was read, in the order it was, each once.
func (s *Session) Reads() []Read { return s.reads }

// Record notes an input. A sensitive one is noted without a digest: a plain
// hash of a weak secret gives it away.
func (s *Session) Record(kind, name string, data []byte, sensitive bool) {
	r := Read{Kind: kind, Name: name, Sensitive: sensitive}
	if data != nil && !sensitive {
		sum := sha256.Sum256(data)
		r.Digest = hex.EncodeToString(sum[:])
	}
	k := readKey{kind, name}
	if i, ok := s.readAt[k]; ok {
		if sensitive {
			s.reads[i] = r
		}
		return
	}
	s.readAt[k] = len(s.reads)
	s.reads = append(s.reads, r)
}

// ReadFile reads a file for a builtin: "//x" from the root, otherwise relative
// to the user's file that makes the call.
func (s *Session) ReadFile(thread *starlark.Thread, name string) ([]byte, error) {
	p, err := s.PathOf(thread, name)
	if err != nil {
		return nil, err
	}
	return s.ReadPath(p)
}

// PathOf returns what ReadFile would read, as a slash-separated path from the
// root.
func (s *Session) PathOf(thread *starlark.Thread, name string) (string, error) {
	p := name
	switch {
	case strings.HasPrefix(name, "@"):
		return "", fmt.Errorf("cannot read %s: only files under the root folder can be read", name)
	case strings.HasPrefix(name, "//"):
		p = name[2:]
	case path.IsAbs(name) || filepath.IsAbs(name):
		return "", fmt.Errorf("cannot read %s: a path is relative, or starts at the root with //", name)
	default:
		if from := CallPos(thread).File; from != "" && !strings.HasPrefix(from, stdlibPrefix) {
			p = path.Join(path.Dir(from), name)
		}
	}
	return path.Clean(p), nil
}

// ReadPath reads a file by its path from the root, as an input.
func (s *Session) ReadPath(p string) ([]byte, error) {
	data, err := s.readUnderRoot(path.Clean(p))
	if err != nil {
		return nil, err
	}
	s.Record("file", path.Clean(p), data, false)
	return data, nil
}

// HasFile reports whether there is a file at a path from the root. That there is
// none is an input too.
func (s *Session) HasFile(p string) bool {
	_, err := s.readUnderRoot(path.Clean(p))
	if err != nil {
		s.Record("file", path.Clean(p), nil, false)
	}
	return err == nil
}

// Root is the root folder, "" where there is none.
func (s *Session) Root() string { return s.opts.Root }

// AddText gives the text of a file that is no module, for showing its lines.
func (s *Session) AddText(file string, text []byte) { s.texts[file] = text }

// Folder returns where a folder is on this computer that a builtin takes by a
// path as [Session.ReadFile] does, with links resolved, and its path from the
// root. Who reads in it records what was read.
func (s *Session) Folder(thread *starlark.Thread, name string) (dir, fromTheRoot string, err error) {
	p, err := s.PathOf(thread, name)
	if err != nil {
		return "", "", err
	}
	r, rel, err := s.underRoot(p)
	if err != nil {
		return "", "", err
	}
	info, err := r.fs.Stat(rel)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", p, diag.FileError(err))
	}
	if !info.IsDir() {
		return "", "", fmt.Errorf("%s is not a folder", p)
	}
	return filepath.Join(r.dir, rel), p, nil
}

// root is the opened root folder. Symbolic links are resolved first, so that
// one which stays inside may be absolute; the open itself goes through
// [os.Root], which holds even if a link changes in between.
type root struct {
	dir string // with links resolved
	fs  *os.Root
}

func (s *Session) openRoot() (*root, error) {
	if s.root != nil {
		return s.root, nil
	}
	if s.opts.Root == "" {
		return nil, errors.New("there is no root folder to read from")
	}
	dir, err := filepath.EvalSymlinks(s.opts.Root)
	if err != nil {
		return nil, diag.FileError(err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, diag.FileError(err)
	}
	s.root = &root{dir, r}
	return s.root, nil
}

// closeRoot lets go of the root folder; the next read opens it again.
func (s *Session) closeRoot() {
	if s.root != nil {
		_ = s.root.fs.Close() // it was only read from
		s.root = nil
	}
}

// underRoot finds a slash-separated path under the root, with links resolved.
func (s *Session) underRoot(p string) (r *root, rel string, err error) {
	if p == ".." || strings.HasPrefix(p, "../") || path.IsAbs(p) || strings.ContainsRune(p, 0) {
		return nil, "", fmt.Errorf("%s is outside the root folder", p)
	}
	if r, err = s.openRoot(); err != nil {
		return nil, "", err
	}
	real, err := filepath.EvalSymlinks(filepath.Join(r.dir, filepath.FromSlash(p)))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", p, diag.FileError(err))
	}
	rel, err = filepath.Rel(r.dir, real)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(os.PathSeparator)) {
		return nil, "", fmt.Errorf("%s is a link to outside the root folder", p)
	}
	return r, rel, nil
}

// readUnderRoot reads a slash-separated path under the root.
func (s *Session) readUnderRoot(p string) ([]byte, error) {
	r, rel, err := s.underRoot(p)
	if err != nil {
		return nil, err
	}
	info, err := r.fs.Stat(rel)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, diag.FileError(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", p)
	}
	f, err := r.fs.Open(rel)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, diag.FileError(err))
	}
	defer f.Close()
	return readAll(f, p)
}

func readAll(f io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, diag.FileError(err))
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	}
	return data, nil
}
