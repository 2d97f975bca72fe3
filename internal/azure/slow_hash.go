package azure

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"sync"

	"golang.org/x/crypto/scrypt"

	"github.com/swarmscript/swarmscript/internal/value"
)

// slowHashes stand for what Azure never gives back and a tag may tell: each guess at
// one costs milliseconds and megabytes. The salt is the resource group's, so that a
// plan of a hundred machines with the same secret has to hash it once.
type slowHashes struct {
	salt string

	mu   sync.Mutex
	sums map[[sha256.Size]byte]string
}

// Cost of one try, about 10 ms.
const scryptN, scryptR, scryptP = 1 << 12, 8, 1

// of is the hash of a plain value.
func (s *slowHashes) of(v value.Value) (string, error) {
	plain, err := value.ToJSON(v)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(plain)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := sha256.Sum256(data)
	if got, ok := s.sums[id]; ok {
		return got, nil
	}
	sum, err := scrypt.Key(data, []byte(s.salt), scryptN, scryptR, scryptP, sha256.Size)
	if err != nil {
		return "", err
	}
	s.sums[id] = base64.RawURLEncoding.EncodeToString(sum)
	return s.sums[id], nil
}
