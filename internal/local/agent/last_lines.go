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

// Logs returns the last lines that the pod wrote, also after it has ended. When a line was written is not known. So
// those of several containers come one container after the other, each with the name of its container in front, and the
// container that wrote last is the last. An init container that has succeeded is left out.
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
	files = a.withoutServed(r, files)
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(changed(a), changed(b)) })
	logs := make([][]string, len(files))
	for i, f := range files {
		if logs[i], err = bothTails(f, r.Lines); err != nil {
			return nil, err
		}
		for at := 0; len(files) > 1 && at < len(logs[i]); at++ {
			logs[i][at] = containerOf(f) + ": " + logs[i][at]
		}
	}
	return lastOf(logs, r.Lines), nil
}

func containerOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".log") }

// withoutServed leaves out the logs of init containers that have succeeded.
func (a *Agent) withoutServed(r LogsRequest, files []string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.findPod(r.Namespace, r.Pod)
	if p == nil {
		return files
	}
	return slices.DeleteFunc(files, func(f string) bool {
		return slices.ContainsFunc(p.inRole(initial), func(c *container) bool {
			return c.spec.Name == containerOf(f) && c.hasSucceeded()
		})
	})
}

// lastOf returns n lines of the logs. A container that writes much does not hide one that writes little.
func lastOf(logs [][]string, n int) []string {
	count := len(slices.Concat(logs...))
	for ; count > max(n, 0); count-- {
		longest := 0
		for i := range logs {
			if len(logs[i]) > len(logs[longest]) {
				longest = i
			}
		}
		logs[longest] = logs[longest][1:]
	}
	return append([]string{}, slices.Concat(logs...)...)
}

// bothTails returns the last n lines of a log and of the part of it that was rotated away.
func bothTails(path string, n int) ([]string, error) {
	older, err := tail(path+".1", n)
	if err != nil {
		return nil, err
	}
	newer, err := tail(path, n)
	lines := append(older, newer...)
	return lines[max(0, len(lines)-n):], err
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
