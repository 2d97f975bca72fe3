package local

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// FullName is the machine's name with that of its project before it, which is
// unique on a site: "shop/staging/web".
func (m *Machine) FullName() string { return m.Project + "/" + m.Name }

// Pick finds machines by names, each in full or, where only one project has it,
// short. All that is wrong with them is said at once.
func (s *Site) Pick(names []string) ([]*Machine, error) {
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	var out []*Machine
	var errs []error
	for _, name := range names {
		m, err := pick(all, name)
		if err == nil && slices.Contains(out, m) {
			err = fmt.Errorf("machine %s is named twice", name)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, m)
	}
	return out, errors.Join(errs...)
}

func pick(all []*Machine, name string) (*Machine, error) {
	var found []*Machine
	var full []string
	for _, m := range all {
		if m.Name == name || m.FullName() == name {
			found = append(found, m)
			full = append(full, m.FullName())
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if len(all) == 0 {
			return nil, fmt.Errorf("there is no machine %q: this computer has none", name)
		}
		return nil, fmt.Errorf("there is no machine %q here%s", name, didYouMean(name, Names(all)))
	}
	return nil, fmt.Errorf("machine %s is in several projects: say which, %s", name, strings.Join(full, " or "))
}

// Names are what machines can be called: their own names where only one has it,
// and those in full.
func Names(all []*Machine) []string {
	count := map[string]int{}
	for _, m := range all {
		count[m.Name]++
	}
	var out []string
	for _, m := range all {
		if count[m.Name] == 1 {
			out = append(out, m.Name)
		}
		out = append(out, m.FullName())
	}
	return out
}

func didYouMean(name string, candidates []string) string {
	if hint := diag.DidYouMean(name, candidates); hint != "" {
		return " (" + hint + ")"
	}
	return ""
}
