package swarm

import (
	"fmt"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// observeServices turns the lists into objects. Networks that no list shows
// are added to it by [serviceState.addNetworks] before.
func observeServices(l *lists) []*resource.Object {
	n := liveNames{networks: networkNames(l.Networks), configs: map[string]string{}}
	for _, c := range l.Configs {
		n.configs[c.ID] = c.Spec.Name
	}
	n.volumes = map[string]string{}
	for _, v := range l.Volumes {
		if v.ClusterVolume != nil {
			n.volumes[v.Name] = v.ClusterVolume.ID
		}
	}
	jobs := map[string][]swarm.Task{}
	for _, t := range l.Jobs {
		jobs[t.ServiceID] = append(jobs[t.ServiceID], t)
	}
	out := make([]*resource.Object, 0, len(l.Services))
	for i := range l.Services {
		svc := &l.Services[i]
		o := observeService(svc, n)
		if svc.JobStatus != nil {
			o.Unsettled, o.Stuck = unsettledJob(svc, jobs[svc.ID])
		}
		out = append(out, o)
	}
	return out
}

// jobDone reports whether a job has completed, as far as its status says. Of one
// that runs once on each node, it does not say so.
func jobDone(svc *swarm.Service) bool {
	s := svc.ServiceStatus
	if s == nil {
		return true // not asked for
	}
	if m := svc.Spec.Mode.ReplicatedJob; m != nil {
		return s.CompletedTasks >= completions(m)
	}
	return false
}

func completions(m *swarm.ReplicatedJob) uint64 {
	return deref(m.TotalCompletions, deref(m.MaxConcurrent, 1))
}

// unsettledJob says how far a job is that has not completed. It is stuck where
// tasks of it have failed, and none is left that might still complete.
func unsettledJob(svc *swarm.Service, tasks []swarm.Task) (why string, stuck bool) {
	if jobDone(svc) {
		return "", false
	}
	v := viewOf(svc, tasks, func(id string) string { return id })
	if v.Done >= v.Total {
		return "", false
	}
	why = fmt.Sprintf("%d/%d completed", v.Done, v.Total)
	if v.GivenUp > 0 {
		why += fmt.Sprintf(", %d failed", v.GivenUp)
	}
	if stuck = v.GivenUp > 0 && !v.Moving; stuck {
		why += ": run again"
	}
	return why, stuck
}

func networkNames(list []network.Summary) map[string]string {
	m := make(map[string]string, len(list))
	for _, n := range list {
		m[n.ID] = n.Name
	}
	return m
}

func observeService(svc *swarm.Service, n liveNames) *resource.Object {
	spec := fromDocker(&svc.Spec, n)
	mark, labels := resource.ReadMark(svc.Spec.Labels)
	spec.Name, spec.Labels = svc.Spec.Name, labels
	o := &resource.Object{
		Kind: "service", ID: svc.ID, Name: svc.Spec.Name, Mark: mark, Args: ServiceSchema.Encode(spec),
		Out:     map[string]value.Value{"id": svc.ID, "name": svc.Spec.Name},
		Uses:    usedIDs(&svc.Spec, n),
		Version: svc.Version.Index, Created: svc.CreatedAt, Native: svc,
	}
	o.Unsettled, o.Stuck = unsettled(svc)
	o.MarkFixed = svc.Spec.Mode.ReplicatedJob != nil || svc.Spec.Mode.GlobalJob != nil // any update runs a job again
	return o
}

func usedIDs(s *swarm.ServiceSpec, n liveNames) []string {
	var ids []string
	for _, a := range attachments(s) {
		ids = append(ids, a.Target)
	}
	if c := s.TaskTemplate.ContainerSpec; c != nil {
		for _, r := range c.Secrets {
			ids = append(ids, r.SecretID)
		}
		for _, r := range c.Configs {
			ids = append(ids, r.ConfigID)
		}
		for _, m := range c.Mounts {
			if id := n.volumes[m.Source]; id != "" && m.Type == mount.TypeCluster {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// unsettled says why a service is not what its spec asks for.
func unsettled(svc *swarm.Service) (why string, stuck bool) {
	if u := svc.UpdateStatus; u != nil {
		switch u.State {
		case swarm.UpdateStatePaused:
			return "its update is paused", true
		case swarm.UpdateStateRollbackPaused:
			return "its rollback is paused", true
		case swarm.UpdateStateUpdating:
			return "updating", false
		case swarm.UpdateStateRollbackStarted:
			return "rolling back", false
		}
	}
	s := svc.ServiceStatus
	if s == nil || svc.JobStatus != nil {
		return "", false
	}
	want := s.DesiredTasks
	if m := svc.Spec.Mode.Replicated; m != nil {
		want = deref(m.Replicas, 1)
	}
	if s.RunningTasks < want && (restartsAlways(svc) || s.DesiredTasks > s.RunningTasks) {
		return fmt.Sprintf("%d/%d running", s.RunningTasks, want), false
	}
	return "", false
}
