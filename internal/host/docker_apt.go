package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// install brings the packages to the versions that are wanted.
func (j *dockerJob) install(ctx context.Context, st *dockerState) error {
	f := flavours[j.spec.Source]
	var files []putFile
	if j.spec.Source == "docker" {
		key, err := j.key(ctx, st)
		if err != nil {
			return err
		}
		files = []putFile{{path: dockerKeyring, mode: 0o644, content: key}, {path: dockerSources, mode: 0o644, content: st.sources(j.spec)}}
	}
	j.progress("reading the lists of packages")
	out, err := j.c.whenFree(ctx, j.listScript(f, files), contents(files), j.r.Timeout, j.r.Progress)
	if err != nil {
		return err
	}
	if err := j.aptErr(out); err != nil {
		return err
	}
	if !st.misses(j.spec) {
		return nil // the source alone was not as it should be
	}
	versions := parseMadison(out)
	wanted := ""
	if j.spec.Version != nil {
		wanted = *j.spec.Version
	}
	version, err := chooseVersion(f.engine, wanted, versions[f.engine])
	if err != nil {
		return err
	}
	words := []string{f.engine + "=" + version}
	for _, name := range f.same {
		words = append(words, name+"="+version)
	}
	words = append(words, f.parts...)
	for _, name := range f.optional {
		if len(versions[name]) > 0 {
			words = append(words, name)
		}
	}
	j.progress(fmt.Sprintf("installing %s %s", f.engine, upstream(version)))
	out, err = j.c.whenFree(ctx, installScript(words), nil, j.r.Timeout, j.r.Progress)
	if err != nil {
		return err
	}
	return j.aptErr(out)
}

// misses reports whether packages must be installed.
func (st *dockerState) misses(spec *DockerSpec) bool {
	f := flavours[spec.Source]
	if st.source() != spec.Source || st.path == "" {
		return true
	}
	if spec.Version != nil && !satisfies(*spec.Version, st.packages[f.engine].version) {
		return true
	}
	return slices.ContainsFunc(slices.Concat(f.same, f.parts), func(p string) bool { return !st.packages[p].installed })
}

// listScript keeps the mark, writes the source of the packages, and prints which
// versions there are. The other lists are fetched only where they are old: what
// the packages need comes from there.
func (j *dockerJob) listScript(f flavour, files []putFile) string {
	update := `updated() { ! grep -q '^W: Failed to fetch\|^Err:' "$log"; }
stamp=` + root + `/apt-updated
if [ -z "$(find "$stamp" -mmin -60 2>/dev/null)" ] || [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null)" ]; then
  get -o APT::Update::Error-Mode=any update && updated || { back; failed update; }
  mkdir -p ` + root + `; touch "$stamp"
`
	if len(files) > 0 {
		update += `else
  get -o APT::Update::Error-Mode=any -o Dir::Etc::sourcelist=` + dockerSources + ` -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 update && updated || { back; failed update; }
`
	}
	return j.keepEarly() + aptBegin + `trap 'rm -rf "$log" "$log.d"' EXIT HUP INT TERM` + "\n" +
		readFilesTo("$log.d", files) + moveFiles("$log.d", files, "back", anyFile) + fmt.Sprintf(`for l in /etc/apt/sources.list.d/docker.list /etc/apt/sources.list.d/download_docker_com*.list; do
  if [ -e "$l" ] && [ -e %s ]; then mv -f -- "$l" "$l.save"; fi # two that differ in Signed-By stop apt
done
`, dockerSources) + update + "fi\napt-cache madison -- " + quoteAll(f.all()) + " || true\n"
}

// installScript installs packages. What is removed for them can only be the other
// flavour's.
func installScript(words []string) string {
	return aptBegin + `held=
for p in $(apt-mark showhold); do case " ` + strings.Join(dockerPackages, " ") + ` " in *" $p "*) held="$held $p" ;; esac; done
if [ -n "$held" ]; then apt-mark unhold $held >/dev/null; fi # apt keeps what is held even where another is to take its place
again() { if [ -n "$held" ]; then apt-mark hold $held >/dev/null; fi; }
allowed=" ` + strings.Join(dockerPackages, " ") + ` docker-ce-rootless-extras docker-buildx docker-compose docker-doc podman-docker tini "
options="--no-install-recommends --allow-downgrades"
set -- ` + quoteAll(words) + `
get $options --no-remove install "$@" || {
  grep -q 'Packages need to be removed but remove is disabled' "$log" || { again; failed install; }
  get $options -s install "$@" || { again; failed install; }
  for p in $(sed -n 's/^Remv \([^ :]*\).*/\1/p' "$log"); do
    case $allowed in *" $p "*) ;; *) again; echo "$p" >"$log"; failed removes ;; esac
  done
  get $options install "$@" || { again; failed install; }
}
for u in docker.service docker.socket; do
  case $(systemctl is-enabled "$u" 2>/dev/null) in masked*) systemctl unmask -q "$u" ;; esac
done
true
`
}

// aptErr puts into words what went wrong, if anything did.
func (j *dockerJob) aptErr(out []byte) error {
	rest, failed := bytes.CutPrefix(out, []byte("failed "))
	if !failed {
		return nil
	}
	phase, log, _ := strings.Cut(string(rest), "\n")
	said := aptLines(log)
	from := ""
	if j.spec.Source == "docker" {
		from = (&dockerState{system: j.system}).repositoryOf(j.spec)
	}
	ours := from != "" && strings.Contains(log, from)
	switch {
	case phase == "removes":
		return &failure{"the installation would remove " + strings.TrimSpace(log) + ", which is no part of Docker: see apt-get -s install, and mend it by hand"}
	case ours && (strings.Contains(log, "NO_PUBKEY") || strings.Contains(log, "Missing key") || strings.Contains(log, "not signed") || strings.Contains(log, "BADSIG")):
		return &failure{from + " is signed with another key than the one that was given as key =\n" + said}
	case ours && (strings.Contains(log, "EXPKEYSIG") || strings.Contains(log, "is not valid yet") || strings.Contains(log, "is expired")):
		return &failure{from + " cannot be verified: its key or its lists have expired, or the machine's clock is wrong\n" + said}
	case ours && strings.Contains(log, "does not have a Release file"):
		return &failure{fmt.Sprintf("%s cannot be reached, or has nothing for this system: check the address, the network, and a proxy\n%s", from, said)}
	case ours && phase == "update":
		return &failure{from + " cannot be reached: check the address, the network, and a proxy\n" + said}
	}
	return aptFailure(phase, log)
}

// keepEarly writes the mark before anything is installed, so that a step that is
// cut short leaves what can be found and removed. It has the keys of the mark
// before: they are ours until they are gone.
func (j *dockerJob) keepEarly() string {
	mark := j.r.Mark
	if j.r.Live != nil {
		mark.Keys = slices.Compact(slices.Sorted(slices.Values(slices.Concat(mark.Keys, j.r.Live.Mark.Keys))))
	}
	return j.keepScript(mark)
}

func (j *dockerJob) keepScript(mark resource.Mark) string {
	note, err := json.Marshal(j.note)
	if err != nil {
		panic(err) // of lists of strings
	}
	begin, err := store(mark.Project, "docker", j.name, &record{Kind: "docker", Name: j.name, Mark: mark, Note: note})
	if err != nil {
		panic(err) // likewise
	}
	return "( " + begin + "keep\n) || exit 90\n"
}
