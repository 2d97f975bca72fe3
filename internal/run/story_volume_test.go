package run

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
)

// labHead is the head of a script that has an engine and no swarm.
const labHead = `project(var("project"))
lab = engine(var("host"), name = "lab")
`

// volumes lists the volumes whose names begin so. The engine's own filter lets
// those of a swarm through.
func (f *fixture) volumes(prefix string) []string {
	f.Helper()
	out := strings.Fields(f.Docker("volume", "ls", "--quiet"))
	return slices.DeleteFunc(out, func(s string) bool { return !strings.HasPrefix(s, prefix) })
}

// A volume of an engine from its making to its end: what cannot change is an
// error, and nothing goes without being told.
func TestStoryVolume(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(more string) string {
			return labHead + `volume("vol_data", engine = lab, labels = {"tier": "db"}` + more + ")\n"
		}
		data := func(o *Options) { o.AllowDataLoss = true }
		f.Bare(script(""))
		f.Repaired("+ volume.vol_data")
		if got := f.Docker("volume", "inspect", "vol_data", "--format", "{{.Labels.tier}} {{index .Labels \"swarmscript.project\"}}"); got != "db "+f.project {
			t.Errorf("its labels are %q", got)
		}

		// What cannot change is an error, whoever changed it.
		f.Bare(script(`, options = {"type": "tmpfs", "device": "tmpfs"}`))
		cannot := []string{"volume.vol_data: a volume cannot be changed, and making it anew would lose the data in it", `options["device"]`, "under another name", `lifecycle(ignore_changes = ["options"])`}
		f.PlanFails(cannot...)
		f.PlanFailsWith(data, cannot...)
		f.Bare(script(`, options = {"type": "tmpfs", "device": "tmpfs"}, lifecycle = lifecycle(ignore_changes = ["options"])`))
		f.PlanIsEmpty()
		f.Bare(script(""))
		f.Docker("volume", "rm", "vol_data")
		f.Repaired("+ volume.vol_data")

		// It goes only when that is allowed.
		f.Bare(labHead)
		f.PlanFails("volume.vol_data: deleting it would lose the data in it", "--allow-data-loss permits it")
		p := f.Plan(data)
		f.shows(p, "- volume.vol_data (no longer declared)")
		f.wentWell(f.Carry(p))
		if got := f.volumes("vol_"); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
		f.Bare(script(`, lifecycle = lifecycle(replace_on = ["1"])`))
		f.Apply()
		f.PlanIsEmpty()
		f.Apply(data, func(o *Options) { o.Destroy = true })
		if got := f.volumes("vol_"); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
	})
}

// Labels of a volume cannot change: what was adopted or moved has its mark
// beside it, on an engine as in a swarm.
func TestStoryVolumeMarks(t *testing.T) {
	onBoth(t, func(f *fixture) {
		destroy := func(o *Options) { o.AllowDataLoss, o.Destroy = true, true }
		f.Docker("volume", "create", "volmark_data", "--label", "theirs=1")
		f.Docker("network", "create", "volmark_net")
		f.Bare(labHead + `volume("volmark_data", engine = lab)
network("volmark_net", engine = lab)
`)
		f.PlanFails("exists and is not managed by this project", "--adopt volume.volmark_data", "--adopt network.volmark_net")
		adopt := func(o *Options) { o.Adopt = []string{"volume.volmark_data", "network.volmark_net"} }
		p := f.Plan(adopt)
		f.shows(p, "~ volume.volmark_data (adopted)", "~ network.volmark_net (adopted)")
		f.wentWell(f.Carry(p))
		f.PlanIsEmpty()
		marks := "swarmscript." + f.project + ".marks."
		if got := f.volumes(marks); len(got) != 1 {
			t.Errorf("the marks are in %q, want one volume", got)
		}

		moved := labHead + `volume("db", name = "volmark_data", engine = lab)
network("volmark_net", engine = lab)
moved("volume.volmark_data", "volume.db")
`
		f.Bare(moved)
		f.Repaired("~ volume.db (moved from volume.volmark_data)")
		f.Bare(strings.ReplaceAll(moved, "moved(", "# moved("))
		f.PlanIsEmpty()

		// Another one of the name is not ours. Engines say when a volume was made to
		// the second.
		created := func() string { return f.Docker("volume", "inspect", "volmark_data", "--format", "{{.CreatedAt}}") }
		before := created()
		f.eventually("it is made in another second", func() bool {
			f.Docker("volume", "rm", "volmark_data")
			f.Docker("volume", "create", "volmark_data")
			return created() != before
		})
		f.PlanFails(`volume "volmark_data" exists and is not managed by this project`)
		f.Docker("volume", "rm", "volmark_data")
		f.Repaired("+ volume.db")

		f.Apply(destroy)
		if got := f.Docker("network", "ls", "-q", "--filter", "name=volmark_"); got != "" {
			t.Errorf("the network is left: %s", got)
		}
		if got := append(f.volumes("volmark_"), f.volumes(marks)...); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
	})
}

// Somebody makes a volume of the name after the plan was shown: it is not
// taken over.
func TestStoryVolumeRace(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Bare(labHead + `volume("race_data", engine = lab)`)
		p := f.Plan()
		f.Docker("volume", "create", "race_data")
		r, err := f.Carry(p)
		f.ended(r, err, apply.ExitError, `volume "race_data" exists and is not managed by this project`)
		if got := f.Docker("volume", "inspect", "race_data", "--format", "{{.Labels}}"); strings.Contains(got, f.project) {
			t.Errorf("it was taken over: %s", got)
		}
		f.Docker("volume", "rm", "race_data")
		f.Apply()
		f.PlanIsEmpty()
		f.Apply(func(o *Options) { o.AllowDataLoss, o.Destroy = true, true })
	})
}

// A service mounts a volume of the engine, and one of a swarm, by its handle.
func TestStoryVolumeMounted(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.Script(`
data = volume("mounted_data", engine = engine(var("host"), name = "lab"))
svc("mounted_web", mounts = [mount(target = "/data", source = data)])
`)
		f.Apply()
		f.PlanIsEmpty()
		if got := f.Docker("volume", "inspect", "mounted_data", "--format", "{{index .Labels \"swarmscript.address\"}}"); got != "engine.lab/volume.mounted_data" {
			t.Errorf("the volume's address is %q: the task made it", got)
		}
		f.Script(`svc("mounted_web", mounts = [mount(type = "cluster", target = "/data", source = volume("mounted_data", engine = engine(var("host"), name = "lab")))])`)
		f.PlanFails(`source is engine.lab/volume.mounted_data, for which type is "volume"`)

		// What somebody else manages is read, and stays.
		other := f.sibling("other")
		other.Bare(labHead + `data = volume("mounted_data", engine = lab, external = True)
output("mountpoint", data.mountpoint)
output("driver", data.driver)
`)
		p := other.Plan()
		other.shows(p)
		for _, o := range p.Plan.Outputs {
			if text := fmt.Sprint(o.Value); !strings.HasSuffix(text, "/mounted_data/_data") && text != "local" {
				t.Errorf("output %s is %s", o.Name, text)
			}
		}
		other.Bare(labHead + `volume("mounted_none", engine = lab, external = True)`)
		other.PlanFails(`there is no volume "mounted_none"`)

		f.Script("")
		f.Apply(func(o *Options) { o.AllowDataLoss, o.Destroy = true, true })
		if got := f.volumes("mounted_"); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
	})
}

// A service runs an image that the script declares.
func TestStoryImageOfService(t *testing.T) {
	onBoth(t, func(f *fixture) {
		script := func(image string) string {
			return `svc("img_web", image = image("web", "` + image + `", engine = engine(var("host"), name = "lab")))`
		}
		f.Script(script("swarmtest/web:1"))
		f.Repaired("+ service.img_web")
		f.Script(script("docker.io/swarmtest/web:2"))
		f.Repaired("~ service.img_web: image")
	})
}

// A volume of a swarm, as far as it goes without a CSI plugin.
func TestStoryClusterVolume(t *testing.T) {
	onBoth(t, func(f *fixture) {
		if strings.Contains(f.Name(), "docker-20") {
			f.Script(`volume("cvol_data", cluster = cluster, driver = "csi")`)
			f.PlanFails("a volume of a swarm needs engine API 1.42, this engine speaks 1.41")
			return
		}
		data := func(o *Options) { o.AllowDataLoss = true }
		script := func(availability, more string) string {
			return `
key = secret("cvol_key", value = "cluster-volume-password")
vol = volume("cvol_data", cluster = cluster, driver = "csi", type = "mount", secrets = {"key": key}, availability = "` + availability + `", wait = False` + more + `)
svc("cvol_web", replicas = 0, mounts = [mount(type = "cluster", target = "/data", source = vol)])
`
		}
		f.Hide("cluster-volume-password")
		f.Script(script("active", ""))
		f.Apply()
		empty := func() {
			t.Helper()
			f.PlanShows("volume.cvol_data (its plugin has not made it)")
		}
		empty()
		f.Script(script("pause", ""))
		p := f.Plan()
		f.shows(p, "~ volume.cvol_data: availability")
		f.wentWell(f.Carry(p))
		empty()
		f.Script(script("pause", `, sharing = "all"`))
		f.PlanFails("a volume cannot be changed", `sharing: "none" -> "all"`)
		f.Script(strings.Replace(script("pause", ""), "cluster-volume-password", "another-password", 1))
		f.PlanFails("a volume cannot be changed", "secrets")
		f.Hide("another-password")
		f.Script(strings.Replace(script("pause", `, lifecycle = lifecycle(ignore_changes = ["secrets"])`), "cluster-volume-password", "another-password", 1))
		p = f.Plan()
		f.shows(p, "+/- secret.cvol_key: value", "volume.cvol_data (its plugin has not made it)")
		f.wentWell(f.Carry(p))
		empty()
		f.Script(script("pause", "")) // what it had is still there
		f.Apply()
		empty()

		// It is moved, and changed at once: its mark is in the ledger.
		f.Script(strings.Replace(script("drain", `, name = "cvol_data"`), `volume("cvol_data"`, `volume("store"`, 1) + `moved("volume.cvol_data", "volume.store")`)
		p = f.Plan()
		f.shows(p, "~ volume.store: availability (moved from volume.cvol_data)")
		f.wentWell(f.Carry(p))
		f.PlanShows("volume.store (its plugin has not made it)")

		f.Script("")
		f.PlanFails("volume.store: deleting it would lose the data in it")
		f.Apply(data)
		if got := f.volumes("cvol_"); len(got) != 0 {
			t.Errorf("left are %v", got)
		}
	})
}
