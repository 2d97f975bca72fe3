package debian

import (
	"io/fs"
	"time"
)

// Stat is what is known of an entry.
type Stat struct {
	Name  string
	Ino   uint64
	Kind  Kind
	Mode  uint32 // the twelve permission bits
	UID   uint32
	GID   uint32
	Links int
	Size  int64
	MTime time.Time
	CTime time.Time
	Link  string // where a link leads
}

// IsDir reports whether it is a folder.
func (s Stat) IsDir() bool { return s.Kind == Folder }

// FileMode returns the mode as Go has it.
func (s Stat) FileMode() fs.FileMode {
	m := fs.FileMode(s.Mode & 0o777)
	for bit, to := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if s.Mode&bit != 0 {
			m |= to
		}
	}
	switch s.Kind {
	case Folder:
		m |= fs.ModeDir
	case Link:
		m |= fs.ModeSymlink
	case Socket:
		m |= fs.ModeSocket
	case Device:
		m |= fs.ModeDevice | fs.ModeCharDevice
	}
	return m
}

func (n *inode) stat(name string) Stat {
	s := Stat{Name: name, Ino: n.ino, Kind: n.kind, Mode: n.mode, UID: n.uid, GID: n.gid, Links: n.links, Size: int64(len(n.data)), MTime: n.mtime, CTime: n.ctime, Link: n.target}
	switch n.kind {
	case Folder:
		s.Size, s.Links = 4096, 2
		if n.mount != nil {
			s.Size = 0
		}
	case Link:
		s.Size = int64(len(n.target))
	}
	return s
}
