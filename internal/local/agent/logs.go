package agent

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/fsnotify/fsnotify"
)

const (
	logLimit = 16 << 20 // of one file; there are two
	keptLogs = 100      // directories of ended pods, a namespace
)

// A logKeeper cuts logs that have grown too long. The processes write to the files themselves, so they do not depend on
// the agent. The keeper copies a long file aside and empties it.
type logKeeper struct {
	watcher *fsnotify.Watcher
	failed  func(error)
	mu      sync.Mutex
	paths   map[string]bool
}

func newLogKeeper(failed func(error)) (*logKeeper, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	k := &logKeeper{watcher: w, failed: failed, paths: map[string]bool{}}
	go k.run()
	return k, nil
}

// keep starts to watch the file, which need not exist yet.
func (k *logKeeper) keep(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.paths[path] {
		return
	}
	k.paths[path] = true
	if err := k.watcher.Add(filepath.Dir(path)); err != nil {
		k.failed(err)
	}
}

// drop ends the watch on the files of a directory.
func (k *logKeeper) drop(dir string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for path := range k.paths {
		if filepath.Dir(path) == dir {
			delete(k.paths, path)
		}
	}
	if err := k.watcher.Remove(dir); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
		k.failed(err)
	}
}

func (k *logKeeper) run() {
	for {
		select {
		case e, ok := <-k.watcher.Events:
			if !ok {
				return
			}
			if e.Has(fsnotify.Write) {
				k.look(e.Name)
			}
		case err, ok := <-k.watcher.Errors: // events were lost: look at all
			if !ok {
				return
			}
			k.failed(err)
			k.lookAtAll()
		}
	}
}

func (k *logKeeper) lookAtAll() {
	k.mu.Lock()
	paths := make([]string, 0, len(k.paths))
	for p := range k.paths {
		paths = append(paths, p)
	}
	k.mu.Unlock()
	for _, p := range paths {
		k.look(p)
	}
}

func (k *logKeeper) look(path string) {
	k.mu.Lock()
	known := k.paths[path]
	k.mu.Unlock()
	info, err := os.Stat(path)
	if !known || err != nil || info.Size() < logLimit {
		return
	}
	if err := rotate(path); err != nil {
		k.failed(err)
	}
}

// rotate copies the file aside and empties it; output between the two is lost.
func rotate(path string) error {
	src, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(path+".1", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close(), src.Truncate(0))
}

func (k *logKeeper) close() error { return k.watcher.Close() }

// pruneLogs removes the oldest logs of pods that have ended. The mutex is held.
func (a *Agent) pruneLogs(namespace string) error {
	live := map[string]bool{}
	for _, p := range a.pods {
		live[a.logDir(p.Namespace, p.Name)] = true
	}
	dirs, err := filepath.Glob(filepath.Join(a.logDir(namespace, ""), "*"))
	if err != nil {
		return err
	}
	dirs = slices.DeleteFunc(dirs, func(d string) bool { return live[d] })
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(changed(a), changed(b)) })
	for _, d := range dirs[:max(0, len(dirs)-keptLogs)] {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
	}
	return nil
}

func changed(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}
