package debian

import (
	"crypto/rand"
	"strings"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/x/yescrypt"
)

// CheckPassword reports whether an account has a password, and this is it.
func (s *System) CheckPassword(name, password string) bool {
	for _, line := range s.lines("/etc/shadow") {
		f := strings.Split(line, ":")
		if len(f) < 2 || f[0] != name || !strings.HasPrefix(f[1], "$") {
			continue
		}
		if strings.HasPrefix(f[1], "$y$") {
			sum, err := yescrypt.Hash([]byte(password), []byte(f[1]))
			return err == nil && string(sum) == f[1]
		}
		ok, err := crypt.CheckPassword(password, f[1])
		return err == nil && ok
	}
	return false
}

// HashPassword makes what /etc/shadow keeps of a password, as Debian makes it.
func HashPassword(password string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum, err := yescrypt.Hash([]byte(password), append([]byte("$y$j9T$"), yescrypt.Encode64(salt)...))
	return string(sum), err
}
