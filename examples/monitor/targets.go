package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
)

// groups are the targets of every job, as the scrape manager takes them.
type groups = map[string][]*targetgroup.Group

// watchTargets sends the targets in the file, now and after each change, until ctx ends. It watches the directory,
// because a replaced file is another file.
func watchTargets(ctx context.Context, path string, failed chan<- error) (<-chan groups, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", path, err), watcher.Close())
	}
	found := make(chan groups)
	go func() {
		defer watcher.Close()
		if err := followTargets(ctx, path, watcher, found); err != nil {
			failed <- err
		}
	}()
	return found, nil
}

func followTargets(ctx context.Context, path string, watcher *fsnotify.Watcher, found chan<- groups) error {
	for {
		now, err := readTargets(path)
		if err != nil {
			slog.Warn("the targets stay as they were", "error", err)
		}
		if err == nil {
			select {
			case found <- now:
			case <-ctx.Done():
				return nil
			}
		}
		if err := awaitChange(ctx, path, watcher); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// awaitChange returns once the file may have changed or ctx has ended.
func awaitChange(ctx context.Context, path string, watcher *fsnotify.Watcher) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			return err
		case event := <-watcher.Events:
			if event.Name == path {
				return nil
			}
		}
	}
}

// readTargets reads the file. A missing file names no targets.
func readTargets(path string) (groups, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return groups{job: nil}, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []struct {
		Targets []string       `json:"targets"`
		Labels  model.LabelSet `json:"labels"`
	}
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	all := make([]*targetgroup.Group, 0, len(entries))
	for i, entry := range entries {
		group := &targetgroup.Group{Labels: entry.Labels, Source: fmt.Sprint(i)}
		for _, address := range entry.Targets {
			group.Targets = append(group.Targets, model.LabelSet{model.AddressLabel: model.LabelValue(address)})
		}
		all = append(all, group)
	}
	return groups{job: all}, nil
}
