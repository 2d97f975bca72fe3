package debian

import (
	"fmt"
	"strings"
	"time"
)

// history notes what was done, as apt does in its log.
func (a *aptGet) history(begun time.Time, fresh, up, down, gone []aptChange) {
	const file = "/var/log/apt/history.log"
	root := a.sys.fs.Root()
	old, _ := root.ReadFile(file)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nStart-Date: %s\nCommandline: %s\n", old, begun.UTC().Format("2006-01-02  15:04:05"), strings.Join(a.args, " "))
	for _, part := range []struct {
		what string
		list []aptChange
	}{{"Install", fresh}, {"Upgrade", up}, {"Downgrade", down}, {"Remove", gone}} {
		if len(part.list) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", part.what, strings.ReplaceAll(namesOf(part.list), " ", ", "))
		}
	}
	fmt.Fprintf(&b, "End-Date: %s\n", time.Now().UTC().Format("2006-01-02  15:04:05"))
	if root.MkdirAll("/var/log/apt", 0o755) == nil {
		_ = root.WriteFile(file, []byte(b.String()), 0o644) // a log, without which all is as well
	}
}

func (a *aptGet) show(p *aptPlan, fresh, up, down, gone []aptChange) {
	var extra []aptChange
	for _, ch := range fresh {
		if !p.asked[ch.name] {
			extra = append(extra, ch)
		}
	}
	if unneeded := p.unneeded(); len(unneeded) > 0 && !a.autoremove {
		a.printf("The following packages were automatically installed and are no longer required:\n%sUse 'apt autoremove' to remove them.\n", wrap(strings.Join(unneeded, " ")))
	}
	for _, part := range []struct {
		title string
		list  []aptChange
	}{
		{"The following additional packages will be installed:", extra},
		{"The following packages will be REMOVED:", gone},
		{"The following NEW packages will be installed:", fresh},
		{"The following packages will be upgraded:", up},
		{"The following packages will be DOWNGRADED:", down},
	} {
		if len(part.list) > 0 {
			list := namesOf(part.list)
			if a.purge && strings.Contains(part.title, "REMOVED") {
				list = strings.ReplaceAll(list, " ", "* ") + "*"
			}
			a.printf("%s\n%s", part.title, wrap(list))
		}
	}
	a.printf("%d upgraded, %d newly installed, ", len(up), len(fresh))
	if len(down) > 0 {
		a.printf("%d downgraded, ", len(down))
	}
	a.printf("%d to remove and %d not upgraded.\n", len(gone), p.upgradable())
}

// upgradable is how many packages stay behind what the lists have.
func (p *aptPlan) upgradable() (n int) {
	for name, i := range p.d.all {
		if c := p.lists.candidate(name); i.is() && c != nil && p.install[name] == nil && !p.remove[name] && debianOrder(c.version, i.version) > 0 {
			n++
		}
	}
	return n
}

// wrap breaks words into lines of at most 79 characters, as apt prints them.
func wrap(words string) string {
	var b strings.Builder
	at := 0
	for _, w := range strings.Fields(words) {
		switch {
		case at == 0:
			b.WriteString("  " + w)
			at = 2 + len(w)
		case at+1+len(w) > 79:
			b.WriteString("\n  " + w)
			at = 2 + len(w)
		default:
			b.WriteString(" " + w)
			at += 1 + len(w)
		}
	}
	return b.String() + "\n"
}

// print is what -s prints of each step.
func (a *aptGet) print(p *aptPlan, gone []aptChange) {
	word := "Remv"
	if a.purge {
		word = "Purg"
	}
	for _, ch := range gone {
		a.printf("%s %s [%s]\n", word, ch.name, ch.was)
	}
	for _, format := range []string{"Inst", "Conf"} {
		for _, q := range p.order() {
			_, uri := p.lists.where(q)
			_, suite, _ := strings.Cut(uri, " ")
			a.printf("%s %s (%s %s [%s])\n", format, q.name, q.version, suite, q.arch)
		}
	}
}
