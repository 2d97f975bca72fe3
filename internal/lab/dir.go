package lab

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/schema"
)

// Config is what lab() says.
type Config struct {
	// Name tells labs of one project apart; "" is the usual one.
	Name string
}

var labName = pattern.Of(`^[a-z][a-z0-9-]{0,15}$`)

// Check finds what is wrong with it, by the fields' names in a script.
func (c Config) Check() (ps schema.Problems) {
	if c.Name != "" && !labName().MatchString(c.Name) {
		ps = append(ps, &schema.Problem{Path: "name", Msg: fmt.Sprintf("got %q, want a small letter and up to 15 small letters, digits and hyphens after it", c.Name)})
	}
	return ps
}

// DefaultDir is the folder of the usual lab of scripts in root.
func DefaultDir(root string) string { return filepath.Join(root, ".swarmscript", "lab") }

// Dir is the folder of a lab, given that of the usual one.
func (c Config) Dir(usual string) string {
	if c.Name == "" {
		return usual
	}
	return usual + "-" + c.Name
}

// Lab is a lab, whether its process runs or not.
type Lab struct {
	dir     string
	program []string // what starts the process, but for its folder
	env     []string // beside this process's
	http    *http.Client

	mu    sync.Mutex   // held while the process is looked for
	found *api.Process // the one that answered last
}

// Open returns the lab of a folder. It writes nothing.
func Open(dir string) (*Lab, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("lab: this program does not know where it is: %w", err)
	}
	return &Lab{dir: dir, program: []string{self, "lab", "serve"}, http: newClient()}, nil
}

// Dir is the lab's folder.
func (l *Lab) Dir() string { return l.dir }

// Exists reports whether there is such a lab, running or not.
func (l *Lab) Exists() bool {
	_, err := os.Stat(l.file(api.StoreFile))
	return err == nil
}

func (l *Lab) file(name string) string { return filepath.Join(l.dir, name) }
