package sshd

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/pkg/sftp"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
)

// sftpFiles are the files of a machine for an SFTP client.
type sftpFiles struct{ view *debian.Files }

// sftpError makes an error one that the protocol has a number for.
func sftpError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return sftp.ErrSSHFxNoSuchFile
	case errors.Is(err, fs.ErrPermission):
		return sftp.ErrSSHFxPermissionDenied
	}
	return err
}

// Fileread implements [sftp.FileReader].
func (f *sftpFiles) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	h, err := f.view.Open(r.Filepath, os.O_RDONLY, 0)
	if err != nil {
		return nil, sftpError(err)
	}
	return h, nil
}

// Filewrite implements [sftp.FileWriter].
func (f *sftpFiles) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	h, err := f.open(r)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// OpenFile implements [sftp.OpenFileWriter].
func (f *sftpFiles) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) {
	h, err := f.open(r)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (f *sftpFiles) open(r *sftp.Request) (*debian.Handle, error) {
	p := r.Pflags()
	flag := os.O_WRONLY
	if p.Read {
		flag = os.O_RDWR
	}
	if p.Creat {
		flag |= os.O_CREATE
	}
	if p.Trunc {
		flag |= os.O_TRUNC
	}
	if p.Excl {
		flag |= os.O_EXCL
	}
	mode := uint32(0o666)
	if r.AttrFlags().Permissions {
		mode = r.Attributes().Mode & 0o777
	}
	h, err := f.view.Open(r.Filepath, flag, mode)
	return h, sftpError(err)
}

// Filecmd implements [sftp.FileCmder].
func (f *sftpFiles) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		return f.setstat(r)
	case "Rename":
		if f.view.Exists(r.Target) {
			return sftp.ErrSSHFxFailure
		}
		return sftpError(f.view.Rename(r.Filepath, r.Target))
	case "Rmdir":
		return sftpError(f.view.Rmdir(r.Filepath))
	case "Mkdir":
		return sftpError(f.view.Mkdir(r.Filepath, 0o777))
	case "Link":
		return sftpError(f.view.Hardlink(r.Filepath, r.Target))
	case "Symlink":
		return sftpError(f.view.Symlink(r.Filepath, r.Target))
	case "Remove":
		return sftpError(f.view.Unlink(r.Filepath))
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename implements [sftp.PosixRenameFileCmder].
func (f *sftpFiles) PosixRename(r *sftp.Request) error {
	return sftpError(f.view.Rename(r.Filepath, r.Target))
}

func (f *sftpFiles) setstat(r *sftp.Request) error {
	to, a := r.AttrFlags(), r.Attributes()
	if to.Size {
		h, err := f.view.Open(r.Filepath, os.O_WRONLY, 0)
		if err != nil {
			return sftpError(err)
		}
		if err := errors.Join(h.Truncate(int64(a.Size)), h.Close()); err != nil {
			return sftpError(err)
		}
	}
	if to.Permissions {
		if err := f.view.Chmod(r.Filepath, a.Mode&0o7777); err != nil {
			return sftpError(err)
		}
	}
	if to.UidGid {
		if err := f.view.Chown(r.Filepath, int(a.UID), int(a.GID), true); err != nil {
			return sftpError(err)
		}
	}
	if to.Acmodtime {
		return sftpError(f.view.Chtimes(r.Filepath, a.ModTime(), true))
	}
	return nil
}

// Filelist implements [sftp.FileLister].
func (f *sftpFiles) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	switch r.Method {
	case "List":
		list, err := f.view.ReadDir(r.Filepath)
		infos := make(infos, len(list))
		for i, st := range list {
			infos[i] = info{st.Info(), st}
		}
		return infos, sftpError(err)
	case "Stat":
		st, err := f.view.Stat(r.Filepath)
		return infos{info{st.Info(), st}}, sftpError(err)
	}
	return nil, sftp.ErrSSHFxOpUnsupported
}

// Lstat implements [sftp.LstatFileLister].
func (f *sftpFiles) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	st, err := f.view.Lstat(r.Filepath)
	return infos{info{st.Info(), st}}, sftpError(err)
}

// Readlink implements [sftp.ReadlinkFileLister].
func (f *sftpFiles) Readlink(p string) (string, error) {
	to, err := f.view.Readlink(p)
	return to, sftpError(err)
}

// info is an entry with its owner, as package sftp asks for it.
type info struct {
	fs.FileInfo
	st debian.Stat
}

func (i info) Uid() uint32 { return i.st.UID }
func (i info) Gid() uint32 { return i.st.GID }
func (i info) Sys() any    { return nil }

type infos []fs.FileInfo

// ListAt implements [sftp.ListerAt].
func (l infos) ListAt(to []os.FileInfo, at int64) (int, error) {
	if at >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[at:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
