package swarm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/scrypt"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Secrets and configs cannot change in place. A version is a live object whose
// name is the declared one and the first digits of its content's keyed hash:
// two applies that want the same content want the same name, and the engine
// lets one of them make it.

const (
	maxName    = 64 // characters of a secret's or config's name
	hashDigits = 12
	// Of what a script may call it; the rest is for the version.
	maxDeclared = maxName - 1 - hashDigits
)

func versionName(declared string, sum []byte) string {
	return declared + "-" + hex.EncodeToString(sum)[:hashDigits]
}

// plainName is the declared name where the first version shall have it.
func plainName(s *schema.Struct, args value.Struct) (string, bool) {
	r := reader{s, args}
	return r.str("name"), r.bool("plain_name")
}

// versionBase is the declared part of a version's name. A name that no version
// has is taken as it is.
func versionBase(name string) string {
	if i := len(name) - 1 - hashDigits; i > 0 && name[i] == '-' && !strings.ContainsFunc(name[i+1:], notHex) {
		return name[:i]
	}
	return name
}

func notHex(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }

// content is what decides about a version: length-prefixed, so that no two
// lists of parts give the same bytes.
func content(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func keyed(key, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(data)
	return m.Sum(nil)
}

// slow is the hash of secrets. Whoever reads a swarm's labels can try values
// against it if they can read the project's key too; scrypt makes each try
// cost milliseconds and megabytes. A process asks for the same secret several
// times, so sums are kept, by a plain hash of what went in.
var slow = &slowHash{sums: map[[sha256.Size]byte][]byte{}}

type slowHash struct {
	mu   sync.Mutex
	sums map[[sha256.Size]byte][]byte
}

// Cost of one try, about 10 ms.
const scryptN, scryptR, scryptP = 1 << 12, 8, 1

func (s *slowHash) sum(key, data []byte) []byte {
	id := [sha256.Size]byte(keyed(key, data))
	s.mu.Lock()
	got, ok := s.sums[id]
	s.mu.Unlock()
	if ok {
		return got
	}
	// The salt is the project's key: without it there is nothing to try.
	got, err := scrypt.Key(data, key, scryptN, scryptR, scryptP, sha256.Size)
	if err != nil {
		panic(err) // only for parameters that make no sense
	}
	s.mu.Lock()
	s.sums[id] = got
	s.mu.Unlock()
	return got
}

// texts returns the known texts of fields, "" for those not given. Known is
// false where one of them waits for a step.
func texts(s *schema.Struct, args value.Struct, names ...string) (out []string, known bool) {
	get, _ := fieldsOf(s, args)
	for _, n := range names {
		v := get(n)
		if !value.Known(v) {
			return nil, false
		}
		v = value.Reveal(v)
		if v == nil {
			out = append(out, "")
			continue
		}
		out = append(out, value.Text(v))
	}
	return out, true
}

// updateErr says what an update's error means: what is not there any more was
// removed in between, and what to do about it is decided anew.
func updateErr(err error) error {
	if remote.IsNotFound(err) {
		return fmt.Errorf("%w: it was removed", resource.ErrConflict)
	}
	return remote.Err(err)
}

// checkName finds what is wrong with the name of a secret or config.
func checkName(kind string, v value.Value, max int) schema.Problems {
	name, ok := v.(string)
	if !ok {
		return nil
	}
	switch {
	case len(name) > max:
		return schema.Problems{{Path: "name", Msg: "is too long: " + count(len(name), "character") + ", and a " + kind +
			"'s name has room for " + count(max, "character") + " beside its version"}}
	case !objectName().MatchString(name):
		return schema.Problems{{Path: "name", Msg: "want letters, digits, '_', '.' and '-', beginning and ending with a letter or digit"}}
	}
	return nil
}

// ofNode finds what a template asks of its node.
var ofNode = pattern.Of(`\{\{[^}]*\.Node\.(Hostname|Platform)`)

// warnTemplate tells of what engines leave empty in the templates of secrets and
// configs: they evaluate them without the node's description.
func warnTemplate(s *schema.Struct, field string, args value.Struct) schema.Problems {
	get, _ := fieldsOf(s, args)
	text, known := value.Reveal(get(field)).(string)
	if !known || get("template_driver") == nil {
		return nil
	}
	if m := ofNode().FindStringSubmatch(text); m != nil {
		return schema.Problems{{Path: field, Msg: fmt.Sprintf("engines leave .Node.%s empty in a template of this kind", m[1]),
			Hint: "{{.Node.ID}} is there; a service's hostname and env know both"}}
	}
	return nil
}
