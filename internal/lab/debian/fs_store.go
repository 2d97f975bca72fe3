package debian

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// What the store has of a file system, by key:
//
//	i ID       what an entry is, but for what a file holds
//	c ID       what a file holds, where that is the machine's own
//	d ID NAME  which entry a folder has by a name; "" for one of the image that is gone
//
// An entry of the image that was not changed is not in it.
type record struct {
	Kind   Kind   `json:"k"`
	Mode   uint32 `json:"m"`
	UID    uint32 `json:"u,omitempty"`
	GID    uint32 `json:"g,omitempty"`
	MTime  int64  `json:"t"`
	CTime  int64  `json:"c"`
	Target string `json:"l,omitempty"`
}

// changes are what one operation writes, all or none.
type changes map[string][]byte

func (c changes) meta(n *inode) {
	if n.made != nil || n.mount != nil {
		return
	}
	b, err := json.Marshal(record{n.kind, n.mode, n.uid, n.gid, n.mtime.UnixNano(), n.ctime.UnixNano(), n.target})
	if err != nil {
		panic(err) // it has numbers and a string
	}
	c["i"+n.id] = b
}

func (c changes) content(n *inode) {
	if n.kind == File && !n.shared && n.made == nil {
		c["c"+n.id] = append([]byte{}, n.data...)
		n.dirty = false
	}
}

func (c changes) entry(dir *inode, name string, n *inode) {
	switch {
	case n != nil:
		c["d"+dir.id+"\x00"+name] = []byte(n.id)
	case dir.lower != nil && dir.lower.kids[name] != nil:
		c["d"+dir.id+"\x00"+name] = []byte{}
	default:
		c["d"+dir.id+"\x00"+name] = nil
	}
}

func (c changes) gone(n *inode) {
	c["i"+n.id], c["c"+n.id] = nil, nil
	for name := range n.kids {
		c["d"+n.id+"\x00"+name] = nil
	}
}

func (f *FS) save(c changes) error {
	if f.store == nil || len(c) == 0 {
		return nil
	}
	if err := f.store.PutAll(c); err != nil {
		return fmt.Errorf("%w: the lab's store: %w", EIO, err)
	}
	return nil
}

// loading is what is known while the store is read.
type loading struct {
	fs     *FS
	base   *baseNode
	nodes  map[string]*inode
	placed map[string]bool
}

// load puts what the store has over the image.
func (f *FS) load() error {
	if f.store == nil {
		return nil
	}
	l := &loading{fs: f, base: f.root.lower, nodes: map[string]*inode{"/": f.root}, placed: map[string]bool{"/": true}}
	type entry struct{ dir, name, id string }
	var entries []entry
	contents := map[string][]byte{}
	err := f.store.All(func(key string, value []byte) error {
		switch key[0] {
		case 'i':
			return l.record(key[1:], value)
		case 'c':
			contents[key[1:]] = append([]byte{}, value...)
		case 'd':
			dir, name, _ := strings.Cut(key[1:], "\x00")
			entries = append(entries, entry{dir, name, string(value)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, data := range contents {
		if n := l.node(id); n != nil {
			n.data, n.shared = data, false
			f.used += int64(len(data))
		}
	}
	for _, e := range entries {
		dir := l.node(e.dir)
		if dir == nil || dir.kids == nil {
			continue // of a folder that is gone
		}
		if e.id == "" {
			dir.kids[e.name] = nil
			continue
		}
		if n := l.node(e.id); n != nil {
			l.link(dir, e.name, n)
		}
	}
	for id := range l.nodes {
		l.place(id)
	}
	for id, n := range l.nodes { // what was open and unlinked when the power went
		if n.links == 0 {
			f.used -= int64(len(contents[id]))
			if err := f.save(changes{"i" + id: nil, "c" + id: nil}); err != nil {
				return err
			}
			continue
		}
		f.nodes++
	}
	return nil
}

// record takes what an entry is.
func (l *loading) record(id string, value []byte) error {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return fmt.Errorf("the lab's store: the entry %q: %w", id, err)
	}
	n := l.node(id)
	if n == nil { // of an image that has it no longer
		return nil
	}
	n.kind, n.mode, n.uid, n.gid, n.target = r.Kind, r.Mode, r.UID, r.GID, r.Target
	n.mtime, n.ctime = time.Unix(0, r.MTime), time.Unix(0, r.CTime)
	if n.kind == Folder && n.kids == nil {
		n.kids = map[string]*inode{}
	}
	return nil
}

// node returns an entry by its id, and makes it where it was not met yet.
func (l *loading) node(id string) *inode {
	if n := l.nodes[id]; n != nil {
		return n
	}
	if number, ok := strings.CutPrefix(id, "#"); ok {
		ino, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return nil
		}
		l.fs.next = max(l.fs.next, ino+1)
		n := &inode{id: id, ino: ino}
		l.nodes[id] = n
		return n
	}
	b := l.base.at(id)
	if b == nil {
		return nil
	}
	n := fromBase(b)
	n.links = 0
	l.nodes[id] = n
	return n
}

func (l *loading) link(dir *inode, name string, n *inode) {
	dir.kids[name] = n
	n.links++
	n.parent = dir
	l.placed[n.id] = true
}

// place puts an entry of the image where the image has it, unless it was moved or removed.
func (l *loading) place(id string) {
	if l.placed[id] || strings.HasPrefix(id, "#") {
		return
	}
	l.placed[id] = true
	dir := l.node(path.Dir(id))
	if dir == nil {
		return
	}
	l.place(dir.id)
	if _, known := dir.kids[path.Base(id)]; !known {
		l.link(dir, path.Base(id), l.nodes[id])
	}
}
