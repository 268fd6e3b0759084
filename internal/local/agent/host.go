package agent

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Pods lists the replicas in the namespace, "" for all of them. It leaves out pods that have ended, except those of
// Jobs.
func (a *Agent) Pods(namespace string) []sluice.Pod {
	a.mu.Lock()
	defer a.mu.Unlock()
	pods := []sluice.Pod{}
	for _, p := range a.pods {
		if namespace != "" && p.Namespace != namespace || p.ended() && p.Owner.Kind != "Job" {
			continue
		}
		pods = append(pods, sluice.Pod{
			Namespace: p.Namespace, Name: p.Name, Owner: p.ownerName(), Image: p.Spec.Containers[0].Image,
			Ready: p.ready(), Restarts: p.restarts(), Reason: p.why(), LastEnd: p.LastEnd, Ending: p.stopping(),
			Created: p.CreatedAt, Revision: p.revisionName(), Labels: p.Labels,
		})
	}
	slices.SortFunc(pods, comparePods)
	return pods
}

func comparePods(a, b sluice.Pod) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// findPod returns the newest pod of that name, nil if there is none. The mutex is held.
func (a *Agent) findPod(namespace, name string) *pod {
	var found *pod
	for _, p := range a.pods {
		if p.Namespace == namespace && p.Name == name && (found == nil || p.CreatedAt.After(found.CreatedAt)) {
			found = p
		}
	}
	return found
}

// Logs returns the last lines that the pod wrote, also after it has ended.
func (a *Agent) Logs(r LogsRequest) ([]string, error) {
	if strings.ContainsAny(r.Namespace+r.Pod, "/\x00") || r.Namespace == "" || r.Pod == "" || r.Pod[0] == '.' ||
		r.Namespace[0] == '.' {
		return nil, sluice.Errorf(sluice.Invalid, "%s/%s is not the name of a pod", r.Namespace, r.Pod)
	}
	files, err := filepath.Glob(filepath.Join(a.logDir(r.Namespace, r.Pod), "*.log"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, sluice.Errorf(sluice.NotFound, "there are no logs of a pod %s in the namespace %s", r.Pod, r.Namespace)
	}
	lines := []string{}
	for _, f := range files {
		older, err := tail(f+".1", r.Lines)
		if err != nil {
			return nil, err
		}
		newer, err := tail(f, r.Lines)
		if err != nil {
			return nil, err
		}
		lines = append(lines, append(older, newer...)...)
	}
	return lines[max(0, len(lines)-r.Lines):], nil
}

// tailBytes bounds how much of a log is read.
const tailBytes = 4 << 20

// tail returns the last n lines of the file, nothing if it does not exist.
func tail(path string, n int) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-tailBytes)
	b, err := io.ReadAll(io.NewSectionReader(f, from, tailBytes))
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	if len(b) == 0 {
		return nil, nil
	}
	lines := strings.Split(string(b), "\n")
	if from > 0 {
		lines = lines[1:] // the first one may have been cut
	}
	return lines[max(0, len(lines)-n):], nil
}
