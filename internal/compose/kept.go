package compose

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Loading is most of what a run with nothing to do takes: half a millisecond a
// service. So what a load came to is kept in a file, for the next one.
//
// It is kept only where the compose files and what the script says are all that it
// was made of: nothing of the environment or of another file, which may be
// secret, is in it; see [input.alone] and [keeper.may]. All of that is the key that
// the file is sealed with, and so is the program itself. Whatever has changed, the
// file does not open, and is as if it were not there; the same holds for one that
// is damaged. Who cannot read the compose files cannot read it either.

// keeper is where one load is kept.
type keeper struct {
	path string // "" where nothing is kept
	key  [sha256.Size]byte
	more bool // something was read that is not in the key
}

// keeper is for a load whose files and variables are read. From here on it sees
// what else is.
func (in *input) keeper() *keeper {
	k := &keeper{}
	read, exists := in.o.Read, in.o.Exists
	in.o.Read = func(path string) ([]byte, error) { k.more = true; return read(path) }
	in.o.Exists = func(path string) bool { k.more = true; return exists(path) }
	program, err := programID()
	if in.o.Keep == "" || err != nil || !in.alone() {
		return k
	}
	home, _ := os.UserHomeDir() // what ~ is
	// %q writes maps in the order of their keys, and no two texts alike.
	which := fmt.Sprintf("%q %q %q %q", in.o.Root, in.o.Name, in.o.Files, in.o.Profiles)
	k.key = sha256.Sum256(fmt.Appendf(nil, "%s %q %q %t %q %q %q", which, program, home, in.o.Build, in.o.Images, in.texts, in.env))
	sum := sha256.Sum256([]byte(which))
	k.path = filepath.Join(in.o.Keep, fmt.Sprintf("%x", sum[:16]))
	return k
}

// programID tells this program from every other build of it.
func programID() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano()), nil
}

// alone reports whether the files are all that compose-go has to know: no variable
// is given from outside the script, and none of them includes or extends another
// one.
func (in *input) alone() bool {
	if in.outside {
		return false
	}
	for file := range in.texts {
		if !slices.Contains(in.o.Files, file) {
			return false
		}
	}
	return !slices.ContainsFunc(in.docs, func(d *document) bool { return child(d.top(), "include") != nil })
}

// may reports whether a stack may be kept: nothing was read for it since, and no
// secret or config of it has its content from elsewhere; and no image is built.
func (k *keeper) may(s *Stack) bool {
	return k.path != "" && !k.more && !slices.ContainsFunc(s.Parts, func(p *Part) bool { return p.From != Source{} || p.Built != nil })
}

// kept is what an earlier load came to, nil where there is none.
func (in *input) kept(k *keeper) *Stack {
	if k.path == "" {
		return nil
	}
	sealed, err := os.ReadFile(k.path)
	if err != nil {
		return nil
	}
	seal, nonce, err := k.seal()
	if err != nil {
		return nil
	}
	data, err := seal.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil
	}
	v, err := value.FromBytes(data)
	if err != nil {
		return nil
	}
	return in.unpack(v)
}

// keep keeps a stack. Where that fails, the next load takes as long as this one.
func (k *keeper) keep(s *Stack) {
	if !k.may(s) {
		return
	}
	data, err := value.Bytes(pack(s))
	if err != nil {
		return
	}
	seal, nonce, err := k.seal()
	if err != nil {
		return
	}
	if os.MkdirAll(filepath.Dir(k.path), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(k.path), "new-*") // which only its owner reads
	if err != nil {
		return
	}
	_, err = f.Write(seal.Seal(nil, nonce, data, nil))
	if f.Close() != nil || err != nil || os.Rename(f.Name(), k.path) != nil {
		os.Remove(f.Name())
	}
	sweep(filepath.Dir(k.path))
}

// keptFor is how long a load is kept. Made anew once in a while, it costs little;
// and the stacks that are gone leave nothing behind for good.
const keptFor = 30 * 24 * time.Hour

// sweep removes what has been kept for long.
func sweep(dir string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > keptFor {
			os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

// seal opens and closes the file. A key is that of one content, so the nonce is
// always the same.
func (k *keeper) seal() (cipher.AEAD, []byte, error) {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	return gcm, make([]byte, gcm.NonceSize()), nil
}

// keptKinds are the kinds of a stack's parts, with their sections of a file.
var keptKinds = map[string]*resource.Kind{
	"networks": swarm.NetworkKind, "secrets": swarm.SecretKind, "configs": swarm.ConfigKind, "services": swarm.ServiceKind,
}

// pack writes a stack as a value.
func pack(s *Stack) value.Value {
	var parts, warnings value.List
	for _, p := range s.Parts {
		after := make(value.List, len(p.After))
		for i, key := range p.After {
			after[i] = key
		}
		parts = append(parts, value.Struct{p.Kind.Name + "s", p.Key, p.Name, p.External, p.Args, after, packPos(p.Pos)})
	}
	for _, w := range s.Warnings {
		warnings = append(warnings, value.Struct{packPos(w.Pos), w.Summary, w.Detail, w.Hint})
	}
	return value.Struct{parts, warnings}
}

// unpack reads what pack wrote. What the seal let through is that.
func (in *input) unpack(v value.Value) *Stack {
	s, all := &Stack{Name: in.o.Name}, v.(value.Struct)
	for _, e := range all[0].(value.List) {
		f := e.(value.Struct)
		section := f[0].(string)
		p := &Part{Kind: keptKinds[section], Key: f[1].(string), Name: f[2].(string), External: f[3].(bool), Args: f[4].(value.Struct), Pos: unpackPos(f[6])}
		for _, key := range f[5].(value.List) {
			p.After = append(p.After, key.(string))
		}
		if !p.External {
			p.args = in.argsAt(section, p.Key)
		}
		s.Parts = append(s.Parts, p)
	}
	for _, e := range all[1].(value.List) {
		f := e.(value.Struct)
		s.Warnings = append(s.Warnings, &diag.Diagnostic{Severity: diag.Warning, Pos: unpackPos(f[0]), Summary: f[1].(string), Detail: f[2].(string), Hint: f[3].(string)})
	}
	return s
}

func packPos(p diag.Pos) value.Value {
	return value.Struct{p.File, int64(p.Line), int64(p.Col)}
}

func unpackPos(v value.Value) diag.Pos {
	f := v.(value.Struct)
	return diag.Pos{File: f[0].(string), Line: int(f[1].(int64)), Col: int(f[2].(int64))}
}
