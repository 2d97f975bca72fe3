package debian

import (
	"path"
	"strconv"
	"strings"
	"time"
)

// modify is an operation on the folder that something is in.
func (v *Files) modify(op, p string, do func(at place, c changes) error) error {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	at, err := v.FS.entry(v, p)
	if err == nil {
		c := changes{}
		if err = do(at, c); err == nil {
			err = v.FS.save(c)
		}
	}
	return pathError(op, p, err)
}

// mayChange reports whether entries of a folder may be made and removed.
func (v *Files) mayChange(dir *inode) error {
	if dir.mount != nil {
		return EPERM
	}
	if !dir.allows(v.Who, 3) {
		return EACCES
	}
	return nil
}

// add makes an entry.
func (v *Files) add(at place, c changes, n *inode) error {
	if at.node != nil || at.isDot() {
		return EEXIST
	}
	if at.slash && n.kind != Folder {
		return ENOENT
	}
	if err := v.mayChange(at.dir); err != nil {
		return err
	}
	if v.FS.nodes >= maxNodes {
		return ENOSPC
	}
	v.FS.nodes++
	n.ino = v.FS.next
	v.FS.next++
	n.id, n.links = "#"+strconv.FormatUint(n.ino, 10), 1
	n.uid, n.gid = v.Who.UID, v.Who.GID
	if at.dir.mode&0o2000 != 0 {
		n.gid = at.dir.gid
	}
	n.mtime = time.Now()
	n.ctime = n.mtime
	if n.kind == Folder {
		n.kids = map[string]*inode{}
	}
	v.put(at.dir, at.name, n, c)
	c.meta(n)
	return nil
}

// put makes a folder have an entry by a name; nil takes it away.
func (v *Files) put(dir *inode, name string, n *inode, c changes) {
	if n == nil && (dir.lower == nil || dir.lower.kids[name] == nil) {
		delete(dir.kids, name)
	} else {
		dir.kids[name] = n
	}
	if n != nil {
		n.parent = dir
	}
	dir.mtime = time.Now()
	dir.ctime = dir.mtime
	c.entry(dir, name, n)
	c.meta(dir)
}

// drop says that an entry has one name less.
func (v *Files) drop(n *inode, c changes) {
	n.links--
	n.ctime = time.Now()
	if n.links > 0 || n.kind == Folder {
		c.meta(n)
	}
	if n.links <= 0 && n.opens == 0 {
		v.FS.forget(n, c)
	}
}

func (f *FS) forget(n *inode, c changes) {
	if !n.shared {
		f.used -= int64(len(n.data))
	}
	if strings.HasPrefix(n.id, "#") {
		f.nodes--
	}
	c.gone(n)
}

// Mkdir makes a folder.
func (v *Files) Mkdir(p string, mode uint32) error {
	return v.modify("mkdir", p, func(at place, c changes) error {
		n := &inode{kind: Folder, mode: mode &^ v.Umask & 0o7777}
		if at.dir.mode&0o2000 != 0 {
			n.mode |= 0o2000
		}
		return v.add(at, c, n)
	})
}

// MkdirAll makes a folder and those above it.
func (v *Files) MkdirAll(p string, mode uint32) error {
	if s, err := v.Stat(p); err == nil {
		if !s.IsDir() {
			return pathError("mkdir", p, ENOTDIR)
		}
		return nil
	}
	if dir := path.Dir(path.Clean(p)); dir != "." && dir != "/" {
		if err := v.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	return v.Mkdir(p, mode)
}

// Symlink makes a link.
func (v *Files) Symlink(target, p string) error {
	if target == "" {
		return pathError("symlink", p, ENOENT)
	}
	return v.modify("symlink", p, func(at place, c changes) error {
		return v.add(at, c, &inode{kind: Link, mode: 0o777, target: target})
	})
}

// MakeSocket makes what a server listens on.
func (v *Files) MakeSocket(p string, mode uint32) error {
	return v.modify("bind", p, func(at place, c changes) error {
		return v.add(at, c, &inode{kind: Socket, mode: mode})
	})
}

// Readlink says where a link leads.
func (v *Files) Readlink(p string) (string, error) {
	s, err := v.Lstat(p)
	if err == nil && s.Kind != Link {
		err = pathError("readlink", p, EINVAL)
	}
	return s.Link, err
}

// Hardlink gives a file another name.
func (v *Files) Hardlink(old, p string) error {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	c := changes{}
	err := v.hardlink(old, p, c)
	if err == nil {
		err = v.FS.save(c)
	}
	return pathError("link", p, err)
}

func (v *Files) hardlink(old, p string, c changes) error {
	n, err := v.FS.find(v, old, false)
	if err != nil {
		return err
	}
	at, err := v.FS.entry(v, p)
	switch {
	case err != nil:
		return err
	case at.node != nil || at.isDot():
		return EEXIST
	case at.slash:
		return ENOENT
	case n.made != nil:
		return EXDEV
	}
	if err := v.mayChange(at.dir); err != nil {
		return err
	}
	if n.kind == Folder {
		return EPERM
	}
	// One that only the image names is named by the machine from now on.
	if first := path.Base(n.id); n.parent.kids[first] == n && !strings.HasPrefix(n.id, "#") {
		c.entry(n.parent, first, n)
	}
	n.links++
	n.ctime = time.Now()
	parent := n.parent
	v.put(at.dir, at.name, n, c)
	n.parent = parent
	c.meta(n)
	return nil
}

// mayRemove adds the rule of folders such as /tmp, where only the owner removes.
func (v *Files) mayRemove(dir, n *inode) error {
	if err := v.mayChange(dir); err != nil {
		return err
	}
	if n != nil && dir.mode&0o1000 != 0 && v.Who.UID != 0 && n.uid != v.Who.UID && dir.uid != v.Who.UID {
		return EPERM
	}
	return nil
}

// Unlink removes what is not a folder.
func (v *Files) Unlink(p string) error {
	return v.modify("unlink", p, func(at place, c changes) error {
		switch {
		case at.isDot() || at.node != nil && at.node.kind == Folder:
			return EISDIR
		case at.node == nil:
			return ENOENT
		case at.slash:
			return ENOTDIR
		}
		if err := v.mayRemove(at.dir, at.node); err != nil {
			return err
		}
		v.put(at.dir, at.name, nil, c)
		v.drop(at.node, c)
		return nil
	})
}

// Rmdir removes a folder that is empty.
func (v *Files) Rmdir(p string) error {
	return v.modify("rmdir", p, func(at place, c changes) error {
		switch {
		case at.last == "..":
			return ENOTEMPTY
		case at.name == "":
			return EBUSY
		case at.last == ".":
			return EINVAL
		case at.node == nil:
			return ENOENT
		case at.node.kind != Folder:
			return ENOTDIR
		case at.node.mount != nil:
			return EBUSY
		case len(at.node.names()) > 0:
			return ENOTEMPTY
		}
		if err := v.mayRemove(at.dir, at.node); err != nil {
			return err
		}
		v.put(at.dir, at.name, nil, c)
		at.node.links = 1
		v.drop(at.node, c)
		return nil
	})
}

// RemoveAll removes something with all that is in it; it need not be there.
func (v *Files) RemoveAll(p string) error {
	s, err := v.Lstat(p)
	switch {
	case Is(err, ENOENT):
		return nil
	case err != nil:
		return err
	case s.Kind != Folder:
		return v.Unlink(p)
	}
	list, err := v.ReadDir(p)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := v.RemoveAll(path.Join(p, e.Name)); err != nil {
			return err
		}
	}
	return v.Rmdir(p)
}

// Rename moves something at once, in place of what is there.
func (v *Files) Rename(old, p string) error {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	c := changes{}
	err := v.rename(old, p, c)
	if err == nil {
		err = v.FS.save(c)
	}
	return pathError("rename", p, err)
}

func (v *Files) rename(old, p string, c changes) error {
	from, err := v.FS.entry(v, old)
	if err != nil {
		return err
	}
	to, err := v.FS.entry(v, p)
	switch {
	case err != nil:
		return err
	case from.isDot() || to.isDot():
		return EBUSY
	case from.node == nil:
		return ENOENT
	case (from.slash || to.slash) && from.node.kind != Folder:
		return ENOTDIR
	case within(to.dir, from.node):
		return EINVAL
	case to.node != nil && within(from.dir, to.node):
		return ENOTEMPTY
	case from.node == to.node:
		return nil
	}
	if err := v.mayRemove(from.dir, from.node); err != nil {
		return err
	}
	if err := v.mayRemove(to.dir, to.node); err != nil {
		return err
	}
	if err := overwrites(from.node, to.node); err != nil {
		return err
	}
	v.put(from.dir, from.name, nil, c)
	if to.node != nil {
		if to.node.kind == Folder {
			to.node.links = 1
		}
		v.drop(to.node, c)
	}
	v.put(to.dir, to.name, from.node, c)
	from.node.ctime = time.Now()
	c.meta(from.node)
	return nil
}

// within reports whether a folder is another one, or in it.
func within(dir, n *inode) bool {
	for ; dir != n; dir = dir.parent {
		if dir == dir.parent {
			return false
		}
	}
	return true
}

// overwrites says whether one entry may take another's place.
func overwrites(n, old *inode) error {
	switch {
	case old == nil:
		return nil
	case old.mount != nil || n.mount != nil:
		return EBUSY
	case old.kind == Folder && n.kind != Folder:
		return EISDIR
	case old.kind != Folder && n.kind == Folder:
		return ENOTDIR
	case old.kind == Folder && len(old.names()) > 0:
		return ENOTEMPTY
	}
	return nil
}

// change is an operation on what is at a path.
func (v *Files) change(op, p string, follow bool, do func(n *inode) error) error {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	n, err := v.FS.find(v, p, follow)
	if err == nil && n.made != nil {
		err = EPERM
	}
	if err == nil {
		if err = do(n); err == nil {
			c := changes{}
			c.meta(n)
			err = v.FS.save(c)
		}
	}
	return pathError(op, p, err)
}

// Chmod sets the permission bits.
func (v *Files) Chmod(p string, mode uint32) error {
	return v.change("chmod", p, true, func(n *inode) error {
		if v.Who.UID != 0 && v.Who.UID != n.uid {
			return EPERM
		}
		n.mode, n.ctime = mode&0o7777, time.Now()
		return nil
	})
}

// Chown sets the owner and the group; -1 leaves one as it is.
func (v *Files) Chown(p string, uid, gid int, follow bool) error {
	return v.change("chown", p, follow, func(n *inode) error {
		if v.Who.UID != 0 {
			own := n.uid == v.Who.UID && (uid == -1 || uint32(uid) == n.uid)
			if !own || gid != -1 && !v.Who.in(uint32(gid)) {
				return EPERM
			}
		}
		if uid != -1 {
			n.uid = uint32(uid)
		}
		if gid != -1 {
			n.gid = uint32(gid)
		}
		if n.kind == File {
			n.mode &^= 0o6000
		}
		n.ctime = time.Now()
		return nil
	})
}

// in reports whether an account is in a group.
func (a Account) in(gid uint32) bool {
	for _, g := range a.Groups {
		if g == gid {
			return true
		}
	}
	return a.GID == gid
}

// Chtimes sets when something was changed.
func (v *Files) Chtimes(p string, at time.Time, follow bool) error {
	return v.change("utime", p, follow, func(n *inode) error {
		if v.Who.UID != 0 && v.Who.UID != n.uid && !n.allows(v.Who, 2) {
			return EACCES
		}
		n.mtime, n.ctime = at, time.Now()
		return nil
	})
}
