package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// rebootVar names the folder of a machine that is to be started anew: keep.sh,
// which waits for the machine, runs the program that started it with this set.
const rebootVar = "SWARMSCRIPT_LOCAL_REBOOT"

// The program may be any that has this package in it, a test too, and its own
// arguments are nobody's business here.
func init() {
	dir := os.Getenv(rebootVar)
	if dir == "" {
		return
	}
	os.Unsetenv(rebootVar)
	if err := reboot(dir); err != nil {
		fmt.Fprintln(os.Stderr, "it stays off:", err) // into the machine's log
		os.Exit(1)
	}
	os.Exit(0)
}

// reboot boots a machine that has just ended, unless somebody else has done so, or
// has switched it off, meanwhile.
func reboot(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), bootTime)
	defer cancel()
	m := &Machine{site: &Site{name: filepath.Base(filepath.Dir(dir)), dir: filepath.Dir(dir), mounts: ownMounts}}
	if _, err := fmt.Sscanf(filepath.Base(dir), "m%d", &m.Number); err != nil {
		return fmt.Errorf("%s is no machine's folder", dir)
	}
	if err := m.load(); err != nil {
		return err
	}
	return m.change(ctx, func() error {
		if m.pid() != 0 || !exists(m.file("boot.json")) {
			return nil
		}
		return m.boot(ctx)
	})
}
