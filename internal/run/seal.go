package run

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"sync"

	"golang.org/x/crypto/scrypt"

	"github.com/swarmscript/swarmscript/internal/plan"
)

// A saved plan tells whether an input is still the same without holding it.
// Whoever reads the file must not be able to try passwords against it: the
// project's hash key goes into a seal, and where there is none yet, a try costs
// some 10 ms and 4 MB.
type sealer struct{ salt, key []byte }

func newSealer(key []byte) sealer {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	return sealer{salt, key}
}

// sum seals the digest of an input. A script's does without the key, which is
// known only once the script has been run.
func (s sealer) sum(kind, name string, digest []byte) string {
	key := s.key
	if kind == script {
		key = nil
	}
	m := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(kind), {0}, []byte(name), {0}, digest} {
		m.Write(part)
	}
	out, err := scrypt.Key(m.Sum(nil), s.salt, 1<<12, 8, 1, sha256.Size)
	if err != nil {
		panic(err) // only for parameters that make no sense
	}
	return hex.EncodeToString(out)
}

// keyID names the project's key, "" where there is none.
func (s sealer) keyID() string {
	if len(s.key) == 0 {
		return ""
	}
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte("the name of this key in saved plans"))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// script is the kind of input that scripts and modules are.
const script = "module"

// input is what a plan was made from, by its digest, nil where it was not
// given.
type input struct {
	kind, name string
	digest     []byte
}

// all seals inputs, on all processors.
func (s sealer) all(inputs []input) []plan.Seal {
	out := make([]plan.Seal, len(inputs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, in := range inputs {
		out[i] = plan.Seal{Kind: in.kind, Name: in.name}
		if in.digest == nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i].Sum = s.sum(in.kind, in.name, in.digest)
		})
	}
	wg.Wait()
	return out
}
