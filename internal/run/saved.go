package run

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/atomicwriter"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/lang"
)

// IsSaved reports whether a file is a saved plan, by what is in it. What cannot
// be read is none.
func IsSaved(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := io.ReadFull(f, head)
	return plan.IsFile(head[:n])
}

// LoadPlan reads a saved plan. The version is this program's: a plan of another
// one is not read.
func LoadPlan(path, version string) (*plan.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, plainPath(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a saved plan", path)
	}
	file, err := plan.DecodeFile(f, registry.Kind)
	switch {
	case file != nil && file.Program != version && (err == nil || file.Program != ""):
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("%s was saved by swarmscript %s, and this is %s", path, file.Program, version),
			Hint: "apply it with the program that made it, or make it again: swarmscript plan --out " + path}
	case err != nil && !IsSaved(path) && strings.HasSuffix(path, ".star"):
		return nil, &diag.Diagnostic{Summary: path + " is a script, not a saved plan", Hint: "swarmscript plan " + path + " shows what it would change"}
	case err != nil:
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return file, nil
}

// plainPath leaves out the name of the system call.
func plainPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}

// CheckOut says early why a plan cannot be saved at a path.
func CheckOut(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--out %s: there is a folder, or something else that is no file", path)
	}
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return fmt.Errorf("--out %s: there is no folder %s", path, filepath.Dir(path))
	}
	if strings.HasSuffix(path, ".star") {
		return fmt.Errorf("--out %s: that is the name of a script", path)
	}
	return nil
}

// Save writes the plan to a file that only its owner can read. It is there
// whole, or what was there before is.
func (p *Planned) Save(path, version string) error {
	if len(p.Plan.Unreachable) > 0 {
		addr := slices.Sorted(maps.Keys(p.Plan.Unreachable))[0]
		return fmt.Errorf("the plan was not saved: %s is unreachable: %w", addr, resource.ErrUnreachable)
	}
	f, err := p.file(version)
	if err != nil {
		return err
	}
	data, err := f.Encode()
	if err == nil {
		err = atomicwriter.WriteFile(path, data, 0o600)
	}
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return fmt.Errorf("the plan was not saved: %s: %w", path, err)
	}
	return nil
}

func (p *Planned) file(version string) (*plan.File, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	s := newSealer(p.view.hashKey())
	f := &plan.File{
		Program: version, Created: time.Now().UTC().Truncate(time.Second), Project: p.Program.Project,
		Script: p.opts.File, Dir: dir, Chdir: p.opts.Chdir != "",
		Wishes: plan.Wishes{Options: p.planOptions(), Forget: p.opts.Forget, RefreshOnly: p.opts.RefreshOnly, Provider: p.opts.Provider, Lab: p.opts.Lab},
		Vars:   map[string]string{}, Env: map[string]*string{}, VarFiles: p.opts.VarFiles,
		Salt: s.salt, Key: s.keyID(), Seals: s.all(p.inputs()), Values: p.valuesSum(s),
		Scopes: p.view.identities(), Plan: p.Plan,
	}
	hidden := p.sensitive()
	for _, v := range p.opts.Vars {
		if name, text, err := builtins.ParseVar(v); err == nil && !hidden["var "+name] {
			f.Vars[name] = text
		}
	}
	for name, text := range p.envRead {
		if v, isVar := strings.CutPrefix(name, builtins.EnvPrefix); !hidden["env "+name] && !(isVar && hidden["var "+v]) {
			f.Env[name] = text
		}
	}
	return f, nil
}

// sensitive are the inputs that a file must not hold, as "var name" and "env
// NAME": those that the script reads as sensitive, and those that it puts into
// a secret though it does not say so.
func (s *Script) sensitive() map[string]bool {
	out := map[string]bool{}
	secrets := plan.SecretTexts(s.Program)
	for _, r := range s.session.Reads() {
		if text, ok := s.given(r); r.Sensitive || ok && holdsSecret(text, secrets) {
			out[r.Kind+" "+r.Name] = true
		}
	}
	return out
}

// leastSecret is the length from which on it is no coincidence that a text is
// part of another.
const leastSecret = 6

// holdsSecret reports whether an input is a secret, part of one, or has one in
// it.
func holdsSecret(text string, secrets []string) bool {
	return text != "" && slices.ContainsFunc(secrets, func(s string) bool {
		return text == s || len(text) >= leastSecret && strings.Contains(s, text) || len(s) >= leastSecret && strings.Contains(text, s)
	})
}

// inputs are what a saved plan seals: the sources, and what is sensitive.
func (s *Script) inputs() []input {
	var out []input
	digest := func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		return sum[:]
	}
	hidden := s.sensitive()
	for _, r := range s.session.Reads() {
		in := input{kind: r.Kind, name: r.Name}
		switch {
		case r.Kind == script || r.Kind == "file" || r.Kind == "folder":
			in.digest, _ = hex.DecodeString(r.Digest)
		case !hidden[r.Kind+" "+r.Name]:
			continue
		default:
			if text, ok := s.given(r); ok {
				in.digest = digest(text)
			}
		}
		out = append(out, in)
	}
	for _, f := range s.opts.VarFiles {
		out = append(out, input{"var-file", f, s.varFiles[f]})
	}
	return out
}

// given returns the text of an input; what a var file gives is sealed with the
// file.
func (s *Script) given(r lang.Read) (string, bool) {
	name := r.Name
	switch r.Kind {
	case script, "file", "folder":
		return "", false
	case "var":
		for i := len(s.opts.Vars) - 1; i >= 0; i-- {
			if v, text, err := builtins.ParseVar(s.opts.Vars[i]); err == nil && v == name {
				return text, true
			}
		}
		name = builtins.EnvPrefix + name
	}
	if text := s.envRead[name]; text != nil {
		return *text, true
	}
	return "", false
}

func (p *Planned) valuesSum(s sealer) string {
	h := sha256.New()
	p.Plan.Values(h)
	return s.sum("values", "", h.Sum(nil))
}

// identities are the scopes as they were observed.
func (v *view) identities() []plan.FileScope {
	var out []plan.FileScope
	for _, addr := range slices.Sorted(maps.Keys(v.scopes)) {
		st := v.scopes[addr].State
		s := plan.FileScope{Address: addr, Type: st.Scope.Type}
		if st.Obs != nil {
			s.Identity = st.Obs.Identity
			if id := v.scopeID(addr); s.Identity == "" && id != addr {
				s.Identity = id
			}
		}
		out = append(out, s)
	}
	return out
}
