package host

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/swarmscript/swarmscript/internal/remote"
)

// putFile is a file as it is to be.
type putFile struct {
	path    string
	mode    uint32
	content []byte
	gone    bool // it is not to be
}

// putDaemon is daemon.json as it is to be: not there where it would say nothing.
func putDaemon(text []byte) putFile {
	if said := bytes.TrimSpace(text); len(said) == 0 || bytes.Equal(said, []byte("{}")) {
		return putFile{path: daemonFile, gone: true}
	}
	return putFile{path: daemonFile, mode: 0o644, content: text}
}

func contents(files []putFile) []byte {
	var b bytes.Buffer
	for _, f := range files {
		b.Write(f.content)
	}
	return b.Bytes()
}

// readFilesTo is the shell that reads files from its standard input into a
// folder, keeps those that are to be changed beside them, and defines back, which
// puts these back.
func readFilesTo(folder string, files []putFile) string {
	var b, back strings.Builder
	fmt.Fprintf(&b, "(umask 077; mkdir -p \"%s/old\")\n", folder)
	for i, f := range files {
		p := remote.Quote(f.path)
		if !f.gone {
			fmt.Fprintf(&b, `(umask 077; head -c %d >"%s/%d") || exit 1; [ "$(stat -c %%s "%s/%d")" = %d ] || fail "what was sent arrived in part only"`+"\n",
				len(f.content), folder, i, folder, i, len(f.content))
		}
		fmt.Fprintf(&b, "if [ -e %s ]; then cp -a %s \"%s/old/%d\" || exit 1; fi\n", p, p, folder, i)
		fmt.Fprintf(&back, "  if [ -e \"%s/old/%d\" ]; then mv -fT \"%s/old/%d\" %s; else rm -f %s; fi\n", folder, i, folder, i, p, p)
	}
	return b.String() + "back() {\n" + back.String() + "  :\n}\n"
}

// moveFiles is the shell that moves some of the files that were read to where
// they belong. Where that fails, undo is run.
func moveFiles(folder string, files []putFile, undo string, some func(putFile) bool) string {
	var b strings.Builder
	for i, f := range files {
		p := remote.Quote(f.path)
		switch {
		case !some(f):
		case f.gone:
			fmt.Fprintf(&b, "rm -f %s || { %s; exit 1; }\n", p, undo)
		default:
			fmt.Fprintf(&b, `mkdir -p %s && chmod %o "%s/%d" && cp -p "%s/%d" %s.new && sync %s.new && mv -fT %s.new %s || { rm -f %s.new; %s; exit 1; }`+"\n",
				remote.Quote(path.Dir(f.path)), f.mode, folder, i, folder, i, p, p, p, p, p, undo)
		}
	}
	return b.String()
}

func anyFile(putFile) bool     { return true }
func isDaemon(f putFile) bool  { return f.path == daemonFile }
func notDaemon(f putFile) bool { return !isDaemon(f) }
