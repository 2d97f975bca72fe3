package debian

import (
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/store"
)

// Kind is what an entry of the file system is, as find -type writes it.
type Kind byte

// The kinds.
const (
	File   Kind = 'f'
	Folder Kind = 'd'
	Link   Kind = 'l'
	Socket Kind = 's'
	Device Kind = 'c'
)

// FS is the file system of one machine: what its image brings, which all
// machines of that image share and none changes, and over it what is the
// machine's own. That is written through to the store: what a file holds when it
// is closed, all else at once.
type FS struct {
	mu     sync.Mutex
	root   *inode
	used   int64 // bytes of the machine's own content
	limit  int64
	nodes  int
	next   uint64 // of the numbers of new entries
	store  *store.Bucket
	locks  []fileLock
	locked chan struct{} // closed when a lock goes
}

// maxNodes bounds how many entries a machine may have of its own.
const maxNodes = 200_000

// inode is one entry: of the machine's own, or one of the image that was looked
// at. All fields are under the lock of the file system.
type inode struct {
	id     string // where the image has it, or "#" and a number
	ino    uint64
	kind   Kind
	mode   uint32 // the twelve permission bits
	uid    uint32
	gid    uint32
	mtime  time.Time
	ctime  time.Time
	links  int
	opens  int
	data   []byte
	shared bool // data is the image's
	dirty  bool // data is not in the store yet
	target string
	lower  *baseNode         // of a folder: what the image has in it
	kids   map[string]*inode // of a folder: what is known of it; nil for what the image has and the machine has not
	parent *inode            // of a folder
	mount  Mount             // of a folder that is made up when it is looked at
	rel    string            // where in the mount this is
	made   *Made             // what the mount says of it
}

// Made is an entry that is made up when it is looked at, such as those of /proc.
type Made struct {
	Kind    Kind
	Mode    uint32
	UID     uint32
	GID     uint32
	Target  string             // of a link
	Read    func() []byte      // nil: empty
	Write   func([]byte) error // nil: it cannot be written
	ModTime time.Time
}

// Mount is a folder whose entries are made up when they are looked at. Paths are
// relative, "" being the folder itself; pid is the process that looks, 0 where there is none.
type Mount interface {
	Find(rel string, pid int) *Made // nil: there is no such entry
	List(rel string) []string
}

func newFS(base *baseNode, limit int64, bucket *store.Bucket) (*FS, error) {
	f := &FS{limit: limit, next: 1 << 20, store: bucket, locked: make(chan struct{})}
	f.root = fromBase(base)
	f.root.parent = f.root
	return f, f.load()
}

// fromBase makes an entry of the image one of the machine's.
func fromBase(b *baseNode) *inode {
	n := &inode{id: b.path, ino: b.ino, kind: b.kind, mode: b.mode, uid: b.uid, gid: b.gid, mtime: imageTime, ctime: imageTime,
		links: 1, data: b.data, shared: true, target: b.target}
	if b.kind == Folder {
		n.lower, n.kids = b, map[string]*inode{}
	}
	return n
}

// child returns what a folder has by a name, nil where there is nothing.
func (n *inode) child(name string, pid int) *inode {
	if n.mount != nil {
		return n.madeUp(path.Join(n.rel, name), pid)
	}
	if kid, ok := n.kids[name]; ok {
		return kid
	}
	if n.lower == nil || n.lower.kids[name] == nil {
		return nil
	}
	kid := fromBase(n.lower.kids[name])
	kid.parent = n
	n.kids[name] = kid
	return kid
}

func (n *inode) madeUp(rel string, pid int) *inode {
	m := n.mount.Find(rel, pid)
	if m == nil {
		return nil
	}
	at := m.ModTime
	if at.IsZero() {
		at = time.Now()
	}
	kid := &inode{ino: hashIno(rel), kind: m.Kind, mode: m.Mode, uid: m.UID, gid: m.GID, mtime: at, ctime: at, links: 1, target: m.Target, made: m, parent: n, rel: rel}
	if m.Kind == Folder {
		kid.mount = n.mount
	}
	return kid
}

// hashIno numbers what is made up.
func hashIno(rel string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(rel) {
		h = (h ^ uint64(rel[i])) * 1099511628211
	}
	return 4026531840 + h%1_000_000_000
}

// names returns what is in a folder, sorted.
func (n *inode) names() []string {
	if n.mount != nil {
		return n.mount.List(n.rel)
	}
	var names []string
	for name, kid := range n.kids {
		if kid != nil {
			names = append(names, name)
		}
	}
	if n.lower != nil {
		for name := range n.lower.kids {
			if _, known := n.kids[name]; !known {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// content is what a file holds.
func (n *inode) content() []byte {
	if n.made != nil {
		if n.made.Read == nil {
			return nil
		}
		return n.made.Read()
	}
	return n.data
}

// allows reports whether an account may read (4), write (2) or execute (1) something.
func (n *inode) allows(who Account, want uint32) bool {
	if who.UID == 0 {
		return want&1 == 0 || n.kind == Folder || n.mode&0o111 != 0
	}
	bits := n.mode
	switch {
	case n.uid == who.UID:
		bits >>= 6
	case n.gid == who.GID || slices.Contains(who.Groups, n.gid):
		bits >>= 3
	}
	return bits&want == want
}

// place is where a path leads.
type place struct {
	dir   *inode // the folder it is in
	name  string // its name there; "" where the path is of a folder such as / or ..
	node  *inode // nil where there is nothing
	slash bool   // the path ends in one: a folder is meant
	last  string // what the path ends in, as it was written
}

// walk follows a path. Links on the way are followed, and one at its end where that
// is said. What is missing at the end is no error: the place has no node then.
func (f *FS) walk(v *Files, p string, follow bool) (place, error) {
	if p == "" {
		return place{}, ENOENT
	}
	at, rest := f.root, p
	if !strings.HasPrefix(p, "/") {
		rest = v.Dir + "/" + p
	}
	slash := strings.HasSuffix(p, "/")
	parts := splitPath(rest)
	now := place{dir: at, node: at}
	for links := 0; len(parts) > 0; {
		name := parts[0]
		parts = parts[1:]
		if at.kind != Folder {
			return place{}, ENOTDIR
		}
		if !at.allows(v.Who, 1) {
			return place{}, EACCES
		}
		if len(name) > 255 {
			return place{}, ENAMETOOLONG
		}
		if name == ".." {
			at = at.parent
			now = place{dir: at, node: at}
			continue
		}
		kid := at.child(name, v.PID)
		now = place{dir: at, name: name, node: kid}
		if kid == nil {
			if len(parts) > 0 {
				return place{}, ENOENT
			}
			return now, nil
		}
		if kid.kind == Link && (len(parts) > 0 || follow || slash) {
			if links++; links > 40 {
				return place{}, ELOOP
			}
			if strings.HasPrefix(kid.target, "/") {
				at = f.root
			}
			parts = append(splitPath(kid.target), parts...)
			now = place{dir: at, node: at}
			continue
		}
		at = kid
	}
	if slash && now.node != nil && now.node.kind != Folder {
		return place{}, ENOTDIR
	}
	return now, nil
}

// entry follows a path to what is to be made, renamed or removed there: a link at its
// end is meant itself, with a slash behind it too.
func (f *FS) entry(v *Files, p string) (place, error) {
	bare := strings.TrimRight(p, "/")
	if bare == "" && p != "" {
		return place{dir: f.root, node: f.root, last: "."}, nil
	}
	at, err := f.walk(v, bare, false)
	at.slash = len(bare) < len(p)
	at.last = bare[strings.LastIndexByte(bare, '/')+1:]
	return at, err
}

// isDot reports whether the path ends in . or .., which names no entry.
func (p place) isDot() bool { return p.name == "" || p.last == "." || p.last == ".." }

func splitPath(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" || s == "." })
}

// find is walk for what must be there.
func (f *FS) find(v *Files, p string, follow bool) (*inode, error) {
	at, err := f.walk(v, p, follow)
	if err == nil && at.node == nil {
		err = ENOENT
	}
	return at.node, err
}

// room makes sure that so many bytes more fit.
func (f *FS) room(more int64) error {
	if more > 0 && f.used+more > f.limit {
		return ENOSPC
	}
	f.used += more
	return nil
}

// Mount puts a folder that is made up in the place of one that is there.
func (f *FS) Mount(at string, m Mount) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(&Files{Dir: "/"}, at, true)
	if err != nil {
		return err
	}
	n.mount = m
	return nil
}

// Usage returns how many bytes the disk has, and how many of them are used.
func (f *FS) Usage() (size, used int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limit + imageSize, f.used + imageSize
}
