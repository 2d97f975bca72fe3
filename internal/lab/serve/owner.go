package serve

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

// watchOwner ends the process, and removes the lab, once its owner is gone; see
// [lab.Lab.Own]. A lab without an owner is everybody's.
func (s *server) watchOwner() {
	at, err := os.ReadFile(filepath.Join(s.cfg.Dir, api.OwnerFile))
	if err != nil {
		return
	}
	if conn, err := net.Dial("tcp4", string(at)); err == nil {
		stop := context.AfterFunc(s.ctx, func() { conn.Close() })
		defer stop()
		_, _ = io.Copy(io.Discard, conn) // however it ends
		conn.Close()
	}
	if s.ctx.Err() != nil {
		return
	}
	s.log.Info("who owned the lab is gone")
	s.mu.Lock()
	s.reset = true
	s.mu.Unlock()
	s.end()
}

// owns reports whether the lab's file is still the one that this process has open.
// Where somebody removed the folder, whatever is there by now is another lab.
func (s *server) owns() bool {
	now, err := os.Stat(filepath.Join(s.cfg.Dir, api.StoreFile))
	return err == nil && os.SameFile(s.file, now)
}

// watchFolder ends the process once its folder is gone: nobody finds it any more,
// and a lab that is made there anew wants the same addresses.
func (s *server) watchFolder() {
	look := time.NewTicker(lookPause)
	defer look.Stop()
	for s.owns() {
		select {
		case <-look.C:
		case <-s.ctx.Done():
			return
		}
	}
	s.log.Info("the lab's folder is gone")
	s.end()
}
