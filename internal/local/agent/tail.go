package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/sluice-cd/sluice"
)

// Tail sends every line that the pod's first container writes, from the first line that is kept, until the pod has
// ended, ctx ends or send fails.
func (a *Agent) Tail(ctx context.Context, r LogsRequest, send func(string) error) error {
	a.mu.Lock()
	p := a.findPod(r.Namespace, r.Pod)
	a.mu.Unlock()
	if p == nil {
		return sluice.Errorf(sluice.NotFound, "there is no pod %s in the namespace %s", r.Pod, r.Namespace)
	}
	dir := a.logDir(p.Namespace, p.Name)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	if err := watcher.Add(dir); err != nil {
		return err
	}
	t := tailer{path: filepath.Join(dir, p.Spec.Containers[0].Name+".log")}
	for {
		ended := isClosed(p.done) // asked first: the last lines are read below
		if err := t.read(send); err != nil || ended {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.ctx.Done():
			return errEnding
		case <-p.done:
		case <-watcher.Events:
		case err := <-watcher.Errors:
			return err
		}
	}
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// A tailer continues where it stopped. If a log was emptied, it reads the log from the beginning.
type tailer struct {
	path string
	at   int64
}

func (t *tailer) read(send func(string) error) error {
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < t.at {
		t.at = 0
	}
	lines := bufio.NewReader(io.NewSectionReader(f, t.at, info.Size()-t.at))
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // the rest of the line is not written yet
			return nil
		}
		t.at += int64(len(line))
		if err := send(strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
	}
}
