package debian

import (
	"io/fs"
	"time"
)

// fileInfo is a Stat as io/fs has it.
type fileInfo struct{ st Stat }

func (st Stat) info() fs.FileInfo { return fileInfo{st} }

// Info returns it as io/fs has it; Sys gives the Stat back.
func (st Stat) Info() fs.FileInfo { return fileInfo{st} }

func (i fileInfo) Name() string       { return i.st.Name }
func (i fileInfo) Size() int64        { return i.st.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.st.FileMode() }
func (i fileInfo) ModTime() time.Time { return i.st.MTime }
func (i fileInfo) IsDir() bool        { return i.st.IsDir() }
func (i fileInfo) Sys() any           { return i.st }

// hostPath undoes what word expansion does to paths where the program runs on Windows.
func hostPath(p string) string { return p }
