package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	types "github.com/docker/docker/api/types/swarm"
	"github.com/moby/sys/atomicwriter"
)

// start is what a node is started with. What has a capital letter is written down.
type start struct {
	RemoteAddr         string // what it joined through
	ListenAddr         string // as it was asked for
	AdvertiseAddr      string
	DataPathAddr       string
	DefaultAddressPool []string
	SubnetSize         uint32
	DataPathPort       uint32
	JoinInProgress     bool // it has not taken part yet
	InitInProgress     bool // its swarm does not have the spec yet that was asked for

	joinAddr        string
	joinToken       string
	forceNewCluster bool
	autolock        bool
	lockKey         []byte
	availability    types.NodeAvailability
}

// port is the one that other hosts know this host's manager by.
func (s start) port() string {
	_, port, err := net.SplitHostPort(s.AdvertiseAddr)
	if err != nil {
		return defaultPort
	}
	return port
}

const (
	startFile       = "lab-member.json"
	certificateFile = "certificates/swarm-node.crt"
)

func (s start) save(dir string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return atomicwriter.WriteFile(filepath.Join(dir, startFile), data, 0o600)
}

// load reads what was saved, an error that is fs.ErrNotExist outside a swarm.
func load(dir string) (*start, error) {
	data, err := os.ReadFile(filepath.Join(dir, startFile))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, certificateFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) { // it was never more than an attempt to join
			return nil, errors.Join(err, clearState(dir))
		}
		return nil, err
	}
	var s start
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, startFile), err)
	}
	if s.InitInProgress { // nobody was told of that swarm, and it lacks the labels by which it would be known
		return nil, errors.Join(fs.ErrNotExist, clearState(dir))
	}
	return &s, nil
}

// clearState forgets a membership.
func clearState(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a state folder, or what is in one. SwarmKit renews a manager's
// certificate beside all else when the unlock key changes, and waits for that nowhere
// ((*Manager).updateKEK): a node that has ended may still write there, for a moment.
func Remove(path string) (err error) {
	for range removeSteps {
		if err = os.RemoveAll(path); err == nil {
			return nil
		}
		time.Sleep(removeStep)
	}
	return err
}

const (
	removeStep  = 20 * time.Millisecond
	removeSteps = 100
)

// hasRaft tells whether a manager has begun to take part in the swarm's log. One that
// was killed before it knew that must not join once more: who it joined through may
// count it already, and needs its vote to answer.
func hasRaft(dir string) bool {
	logs, err := filepath.Glob(filepath.Join(dir, "raft", "wal-v3-encrypted", "*.wal"))
	return err == nil && len(logs) > 0
}

// controlSocket is where a node's control API listens. A socket's path has 104 bytes at
// most, which a folder of the user's may exceed.
func controlSocket(dir string) string {
	const longest = 100
	sum := sha256.Sum256([]byte(dir))
	name := "swarmscript-lab-" + hex.EncodeToString(sum[:8])
	if runtime.GOOS == "windows" {
		return `\\.\pipe\` + name
	}
	if path := filepath.Join(dir, "control.sock"); len(path) <= longest {
		return path
	}
	return filepath.Join(os.TempDir(), name+".sock")
}
