package lab

import (
	"io"
	"net"
	"os"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// Own makes the lab one that goes with this process, however that ends, or when
// what is returned is closed: its process ends then and removes it. It is for labs
// that do not run yet.
//
// A socket of ours is what the lab's process holds on to. The system lets go of it
// with this process; nobody has to answer there.
func (l *Lab) Own() (io.Closer, error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(l.file(api.OwnerFile), []byte(ln.Addr().String()), 0o600); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}
