package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cgroupMounts lists where control groups are mounted, of either version.
func cgroupMounts() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		before, after, found := strings.Cut(line, " - cgroup")
		if fields := strings.Fields(before); found && len(fields) > 4 && strings.IndexByte(" 2", after[0]) >= 0 {
			all = append(all, fields[4])
		}
	}
	return all, nil
}

// makeCgroup makes the group under which kubelet keeps its pods, in each
// hierarchy. Kubelet itself makes only the groups below.
func (s spec) makeCgroup() error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, root := range mounts {
		if err := enableControllers(root); err != nil {
			return err
		}
		dir := filepath.Join(root, s.cgroup())
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			return fmt.Errorf("make control group: %w", err)
		}
		if err := enableControllers(dir); err != nil {
			return err
		}
		// A new cpuset is empty, and no process can enter it.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := copyFile(filepath.Join(root, file), filepath.Join(dir, file)); err != nil {
				return err
			}
		}
	}
	return nil
}

// enableControllers passes everything a group of version 2 has to its children.
func enableControllers(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(data)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("enable control group %s: %w", controller, err)
		}
	}
	return nil
}

// copyFile does nothing if there is no such file.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// removeCgroup removes the group and all groups below it. Their processes have ended.
func (s spec) removeCgroup() error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, root := range mounts {
		if err := removeGroups(filepath.Join(root, s.cgroup())); err != nil {
			return err
		}
	}
	return nil
}

func removeGroups(dir string) error {
	var groups []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := len(groups) - 1; i >= 0; i-- {
		if err := removeGroup(groups[i]); err != nil {
			return fmt.Errorf("remove control group: %w", err)
		}
	}
	return nil
}

// removeGroup gives the kernel a moment to release processes that have ended,
// because no event reports that.
func removeGroup(dir string) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	deadline := time.After(5 * time.Second)
	for {
		err := syscall.Rmdir(dir)
		if err == nil || err == syscall.ENOENT {
			return nil
		}
		failure := &fs.PathError{Op: "rmdir", Path: dir, Err: err}
		if err != syscall.EBUSY {
			return failure
		}
		select {
		case <-ticker.C:
		case <-deadline:
			return failure
		}
	}
}
