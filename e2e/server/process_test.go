package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluice-cd/sluice"
)

// runner returns the pod of the server that logs the event of the deployment. The log may come after the event.
func (s *servers) runner(id sluice.DeploymentID, kind sluice.EventKind) (pod string) {
	s.Helper()
	s.Await("the log of "+string(kind), func() bool {
		for _, pod = range s.pods() {
			if s.logged(pod, id, kind) {
				return true
			}
		}
		return false
	})
	return pod
}

func (s *servers) logged(pod string, id sluice.DeploymentID, kind sluice.EventKind) bool {
	for line := range strings.Lines(s.log(pod)) {
		if strings.Contains(line, fmt.Sprintf(`"msg":%q`, kind)) && strings.Contains(line, string(id)) {
			return true
		}
	}
	return false
}

// process returns the process of the server in the pod, as this machine sees it.
func (s *servers) process(pod string) int {
	s.Helper()
	uid := s.Get("Pod", pod).Text("metadata", "uid")
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	s.try(err)
	var found []int
	for _, file := range groups {
		data, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(data), "pod"+uid) {
			continue // it has ended, or is not of the pod
		}
		dir := filepath.Dir(file)
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil || strings.TrimSpace(string(name)) != "sluice" {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(dir))
		s.try(err)
		found = append(found, id)
	}
	if len(found) != 1 {
		s.Fatalf("%s runs the processes %v, want its server", pod, found)
	}
	return found[0]
}

// kill is kill -9 of a server. Its pod goes too, so that nothing of it comes back.
func (s *servers) kill(process int, pod string) {
	s.Helper()
	s.try(syscall.Kill(process, syscall.SIGKILL))
	s.Kill(pod)
}

// alone keeps new servers away until the function is called. A server that starts looks at once for what others left,
// so it would come before those that run.
func (s *servers) alone() (end func()) {
	s.Helper()
	s.Put(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: full}, spec: {hard: {pods: "0"}}}`)
	s.Until("ResourceQuota", "full", "in force", func(o sluice.Object) bool {
		return o.Text("status", "hard", "pods") == "0"
	})
	return func() {
		s.Helper()
		s.Delete("ResourceQuota", "full")
	}
}
