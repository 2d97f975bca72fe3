package operate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
)

var start = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// task reads "slot node desired state [error]"; each is a second younger than
// the one before.
func task(i int, text string) swarm.Task {
	f := strings.SplitN(text, " ", 5)
	t := swarm.Task{ID: fmt.Sprint("t", i), DesiredState: swarm.TaskState(f[2])}
	fmt.Sscan(f[0], &t.Slot)
	if f[1] != "-" {
		t.NodeID = "id-" + f[1]
	}
	t.CreatedAt = start.Add(time.Duration(i) * time.Second)
	t.Status.Timestamp = t.CreatedAt
	t.Status.State = swarm.TaskState(f[3])
	t.Spec.ContainerSpec = &swarm.ContainerSpec{Image: "web:1@sha256:0"}
	if len(f) == 5 {
		t.Status.Err = f[4]
		t.Status.ContainerStatus = &swarm.ContainerStatus{ExitCode: 1}
	}
	return t
}

func service(st *State, name string, replicas uint64, tasks ...string) *Service {
	s := &Service{State: st}
	s.ID, s.Spec.Name = "id-"+name, name
	s.Spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: &replicas}
	for i, text := range tasks {
		s.Tasks = append(s.Tasks, task(i, text))
	}
	return s
}

func TestTasks(t *testing.T) {
	st := &State{Swarm: &Swarm{}, hosts: map[string]string{"id-a": "a", "id-b": "b"}}
	web := service(st, "web", 2, "1 a shutdown shutdown", "1 a running running", "2 b running running", "3 b shutdown shutdown")
	db := service(st, "db", 2,
		"1 a shutdown failed task: non-zero exit (1)", "1 b shutdown failed task: non-zero exit (1)", "1 a ready preparing",
		"2 - running pending no suitable node (host-mode port already in use on 2 nodes)")
	global := &Service{State: st}
	global.Spec.Name, global.Spec.Mode.Global = "agent", &swarm.GlobalService{}
	global.Tasks = []swarm.Task{task(0, "0 a running running"), task(1, "0 b running rejected No such image: agent:1")}

	for _, tt := range []struct {
		name    string
		history bool
		want    string
	}{
		{"what is wrong comes first", false, `
! agent.b b rejected No such image: agent:1
! db.1 a preparing before: exited with 1 (2 times)
! db.2 - pending no suitable node (host-mode port already in use on 2 nodes)
  agent.a a running
  web.1 a running
  web.2 b running`},
		{"with history each slot's own stays with it", true, `
! agent.b b rejected No such image: agent:1
! db.1 a preparing before: exited with 1 (2 times)
- db.1 b failed non-zero exit (1)
- db.1 a failed non-zero exit (1)
! db.2 - pending no suitable node (host-mode port already in use on 2 nodes)
  agent.a a running
  web.1 a running
- web.1 a shutdown
  web.2 b running
  web.3 b shutdown`},
	} {
		got := ""
		for _, r := range Tasks([]*Service{web, db, global}, tt.history) {
			mark := " "
			switch {
			case r.Past:
				mark = "-"
			case r.Bad:
				mark = "!"
			}
			node := r.Node
			if node == "" {
				node = "-"
			}
			got += "\n" + strings.TrimRight(fmt.Sprintf("%s %s %s %s %s", mark, r.Name, node, r.State, r.Error), " ")
			if r.Image != "web:1" {
				t.Errorf("%s: image %q", r.Name, r.Image)
			}
		}
		if got != tt.want {
			t.Errorf("%s: got%s\nwant%s", tt.name, got, tt.want)
		}
	}
}

func TestFind(t *testing.T) {
	ours := &State{Swarm: &Swarm{Address: "swarm.main", Project: "shop"}}
	web := service(ours, "shop_web", 1)
	web.ID = "abcdef"
	web.Mark = resource.Mark{Project: "shop", Address: "swarm.main/service.web"}
	other := service(ours, "other", 1)
	east := &State{Swarm: &Swarm{Address: "swarm.east", Project: "shop"}}
	api1, api2 := service(ours, "api", 1), service(east, "api", 1)
	ours.Services, east.Services = []*Service{web, other, api1}, []*Service{api2}
	for _, tt := range []struct {
		name string
		want *Service
		err  string
	}{
		{name: "shop_web", want: web}, {name: "web", want: web}, {name: "service.web", want: web},
		{name: "swarm.main/service.web", want: web}, {name: "abcd", want: web}, {name: "other", want: other},
		{name: "abc", err: `there is no service "abc"`},
		{name: "othr", err: `did you mean "other"?`},
		{name: "nothing-like-it", err: "only those of shop are looked at; --all looks at the others too"},
		{name: "api", err: `"api" could be swarm.main/service.api or swarm.east/service.api`},
		{name: "swarm.east/service.api", want: api2},
	} {
		got, err := Find([]*State{ours, east}, []string{tt.name})
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(fmt.Sprintf("%+v %s", err, hintsOf(err)), tt.err) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
			}
		case err != nil || len(got) != 1 || got[0] != tt.want:
			t.Errorf("%s: got %v, %v", tt.name, got, err)
		}
	}
	if _, err := Find([]*State{ours}, []string{"x1", "web", "x2"}); err == nil || !strings.Contains(hintsOf(err), "x1") || !strings.Contains(hintsOf(err), "x2") {
		t.Errorf("both are missing: %v", err)
	}
}
