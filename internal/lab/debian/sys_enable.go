package debian

import (
	"errors"
	"path"
	"slices"
	"strings"
)

const unitLinks = "/etc/systemd/system"

// fileState is what is-enabled says of a unit, "" where there is no such unit.
func (m *units) fileState(name string) string {
	file, real, masked := m.sys.findUnit(name)
	m.mu.Lock()
	u := m.all[real]
	transient := u != nil && u.transient
	m.mu.Unlock()
	switch {
	case transient:
		return "transient"
	case masked:
		return "masked"
	case file == "":
		return ""
	case real != name:
		return "alias"
	}
	f := m.sys.readUnit(name, file)
	if m.isLinked(name, f) {
		return "enabled"
	}
	if len(m.enableLinks(name)) > 0 {
		return "disabled"
	}
	if len(f.values["Install.Also"]) > 0 {
		return "indirect"
	}
	return "static"
}

// isLinked reports whether a link makes a unit start with another one.
func (m *units) isLinked(name string, f unitFile) bool {
	root := m.sys.fs.Root()
	entries, _ := root.ReadDir(unitLinks)
	for _, e := range entries {
		if (strings.HasSuffix(e.Name, ".wants") || strings.HasSuffix(e.Name, ".requires")) && root.lexists(unitLinks+"/"+e.Name+"/"+name) {
			return true
		}
	}
	return slices.ContainsFunc(f.list("Install.Alias"), func(alias string) bool { return root.lexists(unitLinks + "/" + alias) })
}

// lexists reports whether an entry is there, be it a link that leads nowhere.
func (v *Files) lexists(p string) bool {
	_, err := v.Lstat(p)
	return err == nil
}

// enableLinks are the links by which a unit would be enabled.
func (m *units) enableLinks(name string) (links []string) {
	file, _, _ := m.sys.findUnit(name)
	f := m.sys.readUnit(name, file)
	for _, t := range f.list("Install.WantedBy") {
		links = append(links, unitLinks+"/"+t+".wants/"+name)
	}
	for _, t := range f.list("Install.RequiredBy") {
		links = append(links, unitLinks+"/"+t+".requires/"+name)
	}
	for _, alias := range f.list("Install.Alias") {
		links = append(links, unitLinks+"/"+alias)
	}
	return links
}

// enable makes the links of a unit, and of those that go with it.
func (m *units) enable(name string) error {
	file, _, masked := m.sys.findUnit(name)
	switch {
	case masked:
		return unitErrorf(1, "Failed to enable unit: Unit file %s/%s is masked.", unitLinks, name)
	case file == "":
		return unitErrorf(1, "Failed to enable unit: Unit file %s does not exist.", name)
	}
	root := m.sys.fs.Root()
	for _, link := range m.enableLinks(name) {
		if root.lexists(link) {
			continue
		}
		if err := errors.Join(root.MkdirAll(path.Dir(link), 0o755), root.Symlink(file, link)); err != nil {
			return err
		}
	}
	for _, other := range m.sys.readUnit(name, file).list("Install.Also") {
		if other != name && m.fileState(other) == "disabled" {
			if err := m.enable(other); err != nil {
				return err
			}
		}
	}
	return nil
}

// disable removes all links that start a unit with others.
func (m *units) disable(name string) error {
	root := m.sys.fs.Root()
	entries, _ := root.ReadDir(unitLinks)
	var problems []error
	for _, e := range entries {
		at := unitLinks + "/" + e.Name
		if e.IsDir() && (strings.HasSuffix(e.Name, ".wants") || strings.HasSuffix(e.Name, ".requires")) {
			if root.lexists(at + "/" + name) {
				problems = append(problems, root.Unlink(at+"/"+name))
			}
			if left, _ := root.ReadDir(at); len(left) == 0 {
				problems = append(problems, root.Rmdir(at))
			}
			continue
		}
		if to, err := root.Readlink(at); err == nil && e.Name != name && path.Base(to) == name {
			problems = append(problems, root.Unlink(at))
		}
	}
	return errors.Join(problems...)
}

// mask makes a unit one that nothing can start.
func (m *units) mask(name string) error {
	root := m.sys.fs.Root()
	at := unitLinks + "/" + name
	if st, err := root.Lstat(at); err == nil {
		if st.Kind == Link && st.Link == "/dev/null" {
			return nil
		}
		if st.Kind != Link {
			return unitErrorf(1, "Failed to mask unit: File '%s' already exists.", at)
		}
		if err := root.Unlink(at); err != nil {
			return err
		}
	}
	return root.Symlink("/dev/null", at)
}

func (m *units) unmask(name string) error {
	root := m.sys.fs.Root()
	at := unitLinks + "/" + name
	if st, err := root.Lstat(at); err == nil && st.Kind == Link && st.Link == "/dev/null" {
		return root.Unlink(at)
	}
	return nil
}
