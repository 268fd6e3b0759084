package kubernetes

import "time"

var (
	_ store               = (*workloads)(nil)
	_ sink[pod]           = (*podSink)(nil)
	_ sink[creationEvent] = (*eventSink)(nil)
)

// podSink takes the pods of the workloads.
type podSink workloads

func (p *podSink) replace(items []pod, _ string) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.pods
	s.pods, s.owners = map[string]map[string]replica{}, map[string]string{}
	for i := range items {
		s.enlist(replicaOf(&items[i]), was)
	}
	for key := range s.all {
		s.rejudge(key)
	}
}

func (p *podSink) set(item pod) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejudge(s.enlist(replicaOf(&item), s.pods))
}

func (p *podSink) drop(item pod) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.owners[item.Metadata.UID]
	if !ok {
		return
	}
	delete(s.owners, item.Metadata.UID)
	delete(s.pods[key], item.Metadata.UID)
	if len(s.pods[key]) == 0 {
		delete(s.pods, key)
	}
	s.rejudge(key)
}

// enlist keeps the pod with what was known of it, and returns the key of its workload.
func (s *workloads) enlist(r replica, was map[string]map[string]replica) string {
	key := r.key()
	if before, ok := was[key][r.uid]; ok {
		r.hitch = r.hitch.after(before.hitch, time.Now())
	} else {
		r.hitch = r.hitch.after(hitch{}, time.Now())
	}
	if s.pods[key] == nil {
		s.pods[key] = map[string]replica{}
	}
	s.pods[key][r.uid] = r
	s.owners[r.uid] = key
	return key
}

// eventSink takes the events of pods that cannot be created.
type eventSink workloads

func (e *eventSink) replace(items []creationEvent, _ string) {
	s := (*workloads)(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.events)
	for _, item := range items {
		s.note(item)
	}
	for key := range s.all {
		s.rejudge(key)
	}
}

func (e *eventSink) set(item creationEvent) {
	s := (*workloads)(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(item)
	for key, w := range s.all {
		if w.object.Text("metadata", "uid") == item.Object.UID {
			s.rejudge(key)
		}
	}
}

// drop keeps what the event said: the API server forgets events after a while, though nothing is better.
func (e *eventSink) drop(creationEvent) {}

func (s *workloads) note(item creationEvent) {
	if item.Object.Kind == s.resource.kind && item.isLater(s.events[item.Object.UID]) {
		s.events[item.Object.UID] = item
	}
}
