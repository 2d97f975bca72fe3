package debian

import (
	"io/fs"
	"os"
	"path"
	"strings"
)

// Account is who does something.
type Account struct {
	Name   string
	UID    uint32
	GID    uint32
	Groups []uint32 // the others
	Home   string
	Shell  string
}

// Root is the account that may do anything.
var Root = Account{Name: "root", Home: "/root", Shell: "/bin/bash"}

// Files is the file system as a process has it: for an account, from a folder.
type Files struct {
	FS    *FS
	Who   Account
	Dir   string // the working folder, an absolute path
	Umask uint32
	PID   int
}

// As returns the file system as an account has it.
func (f *FS) As(who Account) *Files { return &Files{FS: f, Who: who, Dir: "/", Umask: 0o022} }

// Root returns it as root has it.
func (f *FS) Root() *Files { return f.As(Root) }

func pathError(op, p string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}

// Abs makes a path absolute.
func (v *Files) Abs(p string) string {
	if !strings.HasPrefix(p, "/") {
		p = v.Dir + "/" + p
	}
	return path.Clean(p)
}

// Stat says what is at a path; a link at its end is followed.
func (v *Files) Stat(p string) (Stat, error) { return v.look("stat", p, true) }

// Lstat says what is at a path, of a link too.
func (v *Files) Lstat(p string) (Stat, error) { return v.look("lstat", p, false) }

func (v *Files) look(op, p string, follow bool) (Stat, error) {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	n, err := v.FS.find(v, p, follow)
	if err != nil {
		return Stat{}, pathError(op, p, err)
	}
	return n.stat(path.Base(p)), nil
}

// Access says whether the account may read (4), write (2) or execute (1) something.
func (v *Files) Access(p string, want uint32) error {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	n, err := v.FS.find(v, p, true)
	if err == nil && !n.allows(v.Who, want) {
		err = EACCES
	}
	return pathError("access", p, err)
}

// Exists reports whether there is something at a path, a link that leads nowhere included.
func (v *Files) Exists(p string) bool {
	_, err := v.Lstat(p)
	return err == nil
}

// RealPath resolves all links of a path that leads to something.
func (v *Files) RealPath(p string) (string, error) {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	return v.realPath(p, 0)
}

func (v *Files) realPath(p string, depth int) (string, error) {
	if depth > 40 {
		return "", pathError("readlink", p, ELOOP)
	}
	if !strings.HasPrefix(p, "/") {
		p = v.Dir + "/" + p
	}
	real := "/"
	for _, name := range splitPath(p) {
		if name == ".." {
			real = path.Dir(real)
			continue
		}
		real = path.Join(real, name)
		n, err := v.FS.find(v, real, false)
		if err != nil {
			return "", pathError("readlink", p, err)
		}
		if n.kind != Link {
			continue
		}
		target := n.target
		if !strings.HasPrefix(target, "/") {
			target = path.Dir(real) + "/" + target
		}
		if real, err = v.realPath(target, depth+1); err != nil {
			return "", err
		}
	}
	return real, nil
}

// ReadDir lists a folder, sorted by name.
func (v *Files) ReadDir(p string) ([]Stat, error) {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	n, err := v.FS.find(v, p, true)
	switch {
	case err != nil:
	case n.kind != Folder:
		err = ENOTDIR
	case !n.allows(v.Who, 4):
		err = EACCES
	}
	if err != nil {
		return nil, pathError("open", p, err)
	}
	var list []Stat
	for _, name := range n.names() {
		if kid := n.child(name, v.PID); kid != nil {
			list = append(list, kid.stat(name))
		}
	}
	return list, nil
}

// ReadFile returns what a file holds.
func (v *Files) ReadFile(p string) ([]byte, error) {
	v.FS.mu.Lock()
	n, err := v.FS.find(v, p, true)
	switch {
	case err != nil:
	case n.kind == Folder:
		err = EISDIR
	case n.kind != File:
		err = ENXIO
	case !n.allows(v.Who, 4):
		err = EACCES
	}
	if err != nil {
		v.FS.mu.Unlock()
		return nil, pathError("open", p, err)
	}
	if n.made != nil { // it may look at the file system itself
		v.FS.mu.Unlock()
		return n.content(), nil
	}
	defer v.FS.mu.Unlock()
	return append([]byte{}, n.data...), nil
}

// WriteFile makes or overwrites a file. The mode counts where it is made.
func (v *Files) WriteFile(p string, data []byte, mode uint32) error {
	f, err := v.Open(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
