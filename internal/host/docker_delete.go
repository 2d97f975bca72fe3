package host

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Delete implements [resource.Handler]. What we installed is removed, and not
// purged: what the engine has stored stays. Of an engine that was there before us,
// our settings are taken back.
func (dockerHandler) Delete(ctx context.Context, rc resource.Conn, r *resource.Request) error {
	c, err := connOf(rc)
	if err != nil {
		return err
	}
	st, err := c.lookDocker(ctx)
	if err != nil {
		return err
	}
	if st.member {
		return &failure{"the engine is in a swarm: it must leave that first (swarm.join is not to be declared any more, or docker swarm leave)"}
	}
	j := &dockerJob{c: c, r: r, spec: &DockerSpec{}, name: r.Live.Name, system: st.system, note: noteOfDocker(r.Live)}
	var remove []string
	for _, p := range j.note.Packages {
		if st.packages[p].installed {
			remove = append(remove, p)
		}
	}
	if err := j.takeBack(ctx, st, len(remove) > 0); err != nil {
		return err
	}
	if len(remove) > 0 {
		j.progress("removing " + strings.Join(remove, ", "))
		err := c.apt.alone(ctx, r, func() error {
			out, err := c.whenFree(ctx, removeScript(remove), nil, r.Timeout, r.Progress)
			if err != nil {
				return err
			}
			return j.aptErr(out)
		})
		if err != nil {
			return err
		}
	}
	return c.drop(ctx, r, "true")
}

// takeBack removes our settings, certificates and members of the group. An engine
// that goes is not restarted.
func (j *dockerJob) takeBack(ctx context.Context, st *dockerState, goes bool) error {
	text, does, err := mergeDaemon(st.files[daemonFile], nil, ownedKeys(j.r.Live, nil), st.version())
	if err != nil {
		return &failure{err.Error() + "; mend it by hand"}
	}
	var files []putFile
	if does != nothing {
		files = append(files, putDaemon(text))
	}
	certs, err := j.tlsFiles(ctx, st)
	if err != nil {
		return err
	}
	files = append(files, certs...)
	if st.files[dockerDropIn] != nil {
		files = append(files, putFile{path: dockerDropIn, gone: true})
	}
	var b strings.Builder
	b.WriteString(configBegin)
	b.WriteString(readFilesTo("$T/new", files) + moveFiles("$T/new", files, "back", anyFile))
	fmt.Fprintf(&b, "rmdir %s %s 2>/dev/null || :\n", tlsDir, path.Dir(dockerDropIn))
	if len(files) > 0 {
		b.WriteString("systemctl daemon-reload; socket=changes\n")
		if !goes {
			b.WriteString("start || undo start\n")
		}
	}
	b.WriteString(j.usersScript(st))
	if !goes {
		j.spec.Source = st.source()
		if !slices.Contains([]string{"", "docker", "distribution"}, j.spec.Source) {
			return nil
		}
		b.WriteString(j.holdScript(st))
	} else {
		fmt.Fprintf(&b, "rm -f %s %s\n", dockerSources, dockerKeyring)
	}
	out, err := j.c.run(ctx, b.String(), contents(files))
	if err != nil {
		return err
	}
	return configErr(string(out), (*value.Map)(nil))
}

// removeScript removes packages, and nothing but them and what cannot be without
// them.
func removeScript(names []string) string {
	return aptBegin + `set -- ` + quoteAll(names) + `
allowed=" $* ` + strings.Join(dockerPackages, " ") + ` docker-ce-rootless-extras "
get -s --allow-change-held-packages remove "$@" || failed remove
for p in $(sed -n 's/^Remv \([^ :]*\).*/\1/p' "$log"); do
  case $allowed in *" $p "*) ;; *) echo "$p" >"$log"; failed others ;; esac
done
get --allow-change-held-packages remove "$@" || failed remove
`
}

var _ resource.Opener = dockerHandler{}
