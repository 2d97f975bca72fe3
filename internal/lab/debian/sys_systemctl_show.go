package debian

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// unitProperties are what show prints, in systemd's order.
var unitProperties = []string{"Type", "Restart", "RestartUSec", "RemainAfterExit", "MainPID", "Result", "NRestarts", "ExecMainPID", "ExecMainCode", "ExecMainStatus", "ExecStart",
	"Environment", "User", "WorkingDirectory", "NextElapseUSecRealtime", "Unit", "Listen", "Id", "Names", "Requires", "Wants", "After", "Description", "LoadState", "ActiveState", "SubState", "FragmentPath",
	"DropInPaths", "UnitFileState", "ActiveEnterTimestamp", "NeedDaemonReload"}

func (u unitState) property(name string) (string, bool) {
	f := u.file
	kind := path.Ext(u.name)
	service := kind == ".service"
	switch name {
	case "Id", "Names":
		return u.name, true
	case "LoadState":
		return u.load, true
	case "ActiveState":
		return u.active, true
	case "SubState":
		return u.sub, true
	case "UnitFileState":
		return u.fileState, true
	case "FragmentPath":
		return f.path, true
	case "DropInPaths":
		return strings.Join(f.dropIns, " "), true
	case "Description":
		if d := f.get("Unit.Description"); d != "" {
			return d, true
		}
		return u.name, true
	case "Requires", "Wants", "After":
		return strings.Join(f.list("Unit."+name), " "), true
	case "ActiveEnterTimestamp":
		if u.active != "active" {
			return "", true
		}
		return u.since.UTC().Format("Mon 2006-01-02 15:04:05 UTC"), true
	case "NeedDaemonReload":
		return "no", true
	case "Result":
		return u.result, service || kind == ".timer" || kind == ".socket"
	case "Unit":
		return strings.TrimSuffix(u.name, kind) + ".service", kind == ".timer"
	case "Listen":
		return strings.Join(f.list("Socket.ListenStream"), " ") + " (Stream)", kind == ".socket"
	case "NextElapseUSecRealtime":
		if u.next.IsZero() {
			return "", kind == ".timer"
		}
		return u.next.UTC().Format("Mon 2006-01-02 15:04:05 UTC"), kind == ".timer"
	}
	if !service {
		return "", false
	}
	return u.serviceProperty(name)
}

// serviceProperty is one that only services have.
func (u unitState) serviceProperty(name string) (string, bool) {
	f := u.file
	or := func(key, otherwise string) string {
		if v := f.get("Service." + key); v != "" {
			return v
		}
		return otherwise
	}
	switch name {
	case "Type":
		return or("Type", "simple"), true
	case "Restart":
		return or("Restart", "no"), true
	case "RestartUSec":
		return f.duration("Service.RestartSec", 100*time.Millisecond).String(), true
	case "RemainAfterExit":
		return map[bool]string{true: "yes", false: "no"}[f.yes("Service.RemainAfterExit")], true
	case "MainPID", "ExecMainPID":
		return fmt.Sprint(u.pid), true
	case "NRestarts":
		return fmt.Sprint(u.restarts), true
	case "ExecMainCode":
		return map[bool]string{true: "1", false: "0"}[u.code != 0], true
	case "ExecMainStatus":
		return fmt.Sprint(u.code), true
	case "ExecStart":
		if all := f.values["Service.ExecStart"]; len(all) > 0 {
			return "{ path=" + strings.Fields(all[0])[0] + " ; argv[]=" + all[0] + " ; }", true
		}
		return "", true
	case "Environment":
		return strings.Join(f.values["Service.Environment"], " "), true
	case "User", "WorkingDirectory":
		return f.get("Service." + name), true
	}
	return "", false
}

func (s *systemctl) show(names []string) int {
	if len(names) == 0 {
		return s.notSimulated("show without a unit")
	}
	for i, name := range names {
		if i > 0 {
			s.printf("\n")
		}
		u := s.m.state(name)
		for _, p := range unitProperties {
			if len(s.properties) > 0 && !slices.Contains(s.properties, p) {
				continue
			}
			v, has := u.property(p)
			switch {
			case !has:
			case s.value:
				s.printf("%s\n", v)
			case v != "" || len(s.properties) > 0:
				s.printf("%s=%s\n", p, v)
			}
		}
	}
	for _, p := range s.properties {
		if !slices.Contains(unitProperties, p) {
			return s.notSimulated("show -p " + p)
		}
	}
	return 0
}

func (s *systemctl) status(names []string) int {
	if len(names) == 0 {
		return s.isRunning()
	}
	code := 0
	for i, name := range names {
		if i > 0 {
			s.printf("\n")
		}
		code = max(code, s.statusOf(name))
	}
	return code
}

func (s *systemctl) statusOf(name string) int {
	u := s.m.state(name)
	if u.load == "not-found" && u.active == "inactive" {
		return s.say(4, "Unit %s could not be found.", name)
	}
	mark := map[string]string{"active": "●", "reloading": "●", "failed": "×"}[u.active]
	if mark == "" {
		mark = "○"
	}
	title, _ := u.property("Description")
	s.printf("%s %s - %s\n     Loaded: %s (%s; %s; preset: enabled)\n", mark, u.name, title, u.load, u.file.path, u.fileState)
	for _, d := range u.file.dropIns {
		s.printf("    Drop-In: %s\n", d)
	}
	how := u.active + " (" + u.sub + ")"
	if u.active == "failed" {
		how = "failed (Result: " + u.result + ")"
	}
	s.printf("     Active: %s", how)
	if !u.since.IsZero() {
		s.printf(" since %s; %s ago", u.since.UTC().Format("Mon 2006-01-02 15:04:05 UTC"), time.Since(u.since).Round(time.Second))
	}
	s.printf("\n")
	if u.pid > 0 {
		s.printf("   Main PID: %d (%s)\n", u.pid, strings.TrimSuffix(u.name, path.Ext(u.name)))
	}
	if entries, _ := s.m.log.of(map[string]bool{u.name: true}, 0); s.lines > 0 && len(entries) > 0 {
		s.printf("\n")
		for _, e := range entries[max(0, len(entries)-s.lines):] {
			s.printf("%s\n", e.line("short", s.sys.hostname()))
		}
	}
	if u.active == "active" || u.active == "reloading" || u.active == "activating" {
		return 0
	}
	return 3
}

func (s *systemctl) cat(names []string) int {
	for i, name := range names {
		u := s.m.state(name)
		if u.file.path == "" {
			return s.say(1, "No files found for %s.", name)
		}
		for j, file := range append([]string{u.file.path}, u.file.dropIns...) {
			if i+j > 0 {
				s.printf("\n")
			}
			text, _ := s.sys.fs.Root().ReadFile(file)
			s.printf("# %s\n%s", file, text)
		}
	}
	return 0
}

// list is list-units and its like.
func (s *systemctl) list(verb string, patterns []string) int {
	found := map[string]bool{}
	s.m.mu.Lock()
	for name := range s.m.all {
		found[name] = true
	}
	s.m.mu.Unlock()
	if verb == "list-unit-files" {
		root := s.sys.fs.Root()
		for _, folder := range unitFolders {
			entries, _ := root.ReadDir(folder)
			for _, e := range entries {
				if !e.IsDir() && unitName(e.Name) == e.Name {
					found[e.Name] = true
				}
			}
		}
	}
	n := 0
	for _, name := range sortedKeys(found) {
		u := s.m.state(name)
		fits := len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
			ok, _ := path.Match(strings.TrimSuffix(p, ".service"), strings.TrimSuffix(name, ".service"))
			return ok
		})
		kind := strings.TrimPrefix(path.Ext(name), ".")
		if verb == "list-timers" {
			fits = fits && kind == "timer"
		}
		if !fits || len(s.kinds) > 0 && !slices.Contains(s.kinds, kind) {
			continue
		}
		if verb == "list-unit-files" {
			if u.fileState != "" && (len(s.states) == 0 || slices.Contains(s.states, u.fileState)) {
				s.printf("%s %s\n", name, u.fileState)
				n++
			}
			continue
		}
		shown := s.all || u.active != "inactive"
		if len(s.states) > 0 {
			shown = slices.Contains(s.states, u.active) || slices.Contains(s.states, u.sub) || slices.Contains(s.states, u.load)
		}
		if shown {
			title, _ := u.property("Description")
			s.printf("  %s %s %s %s %s\n", name, u.load, u.active, u.sub, title)
			n++
		}
	}
	if !s.plain {
		s.printf("\n%d units listed.\n", n)
	}
	return 0
}

func (s *systemctl) isRunning() int {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	for _, u := range s.m.all {
		if u.active == "failed" {
			s.printf("degraded\n")
			return 1
		}
	}
	s.printf("running\n")
	return 0
}
