package remote

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
)

// PutOptions say what a file is to be.
type PutOptions struct {
	Mode  fs.FileMode // permission bits, setuid and the like; 0 keeps those of the file that is there, or means 0644
	Owner string      // name or number; "" keeps the one that is there
	Group string
	Root  bool // written as root: see [Machine.Sudo]
}

// Put writes a file as a whole: readers see the old content or the new one,
// also after a crash. A symbolic link is replaced, not followed. The content
// travels by standard input.
func (h *Host) Put(ctx context.Context, path string, content []byte, o PutOptions) error {
	mode := ""
	if o.Mode != 0 {
		mode = fmt.Sprintf("%04o", unixMode(o.Mode))
	}
	_, err := h.Run(ctx, Command{
		Script: putScript,
		Args:   []string{path, strconv.Itoa(len(content)), mode, o.Owner, o.Group},
		Stdin:  content,
		Root:   o.Root,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// putScript writes beside the file, so that the last step is a rename. It
// counts the bytes: a connection that is cut looks like the input's end.
const putScript = `set -e
path=$1 size=$2 mode=$3 owner=$4 group=$5
if [ -d "$path" ] && [ ! -L "$path" ]; then echo "$path is a folder" >&2; exit 1; fi
umask 077
temp=$(mktemp -- "$path.XXXXXX")
trap 'rm -f -- "$temp"' EXIT
cat > "$temp"
got=$(wc -c < "$temp")
if [ "$got" -ne "$size" ]; then echo "only $got of $size bytes arrived" >&2; exit 1; fi
if [ -f "$path" ] && [ ! -L "$path" ]; then
  : "${mode:=$(stat -c %a -- "$path")}"
  if [ "$(id -u)" = 0 ]; then
    : "${owner:=$(stat -c %u -- "$path")}" "${group:=$(stat -c %g -- "$path")}"
  fi
fi
if [ -n "$owner" ]; then chown -- "$owner" "$temp"; fi
if [ -n "$group" ]; then chgrp -- "$group" "$temp"; fi
chmod -- "${mode:-0644}" "$temp"
sync -- "$temp"
mv -fT -- "$temp" "$path"
sync -- "$(dirname -- "$path")"
`

// unixMode is a mode as chmod takes it.
func unixMode(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	for bit, to := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			n |= to
		}
	}
	return n
}
