package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func isNotEmpty(err error) bool { return errors.Is(err, syscall.ENOTEMPTY) }

// Leftovers names everything on this machine that belongs to clusters of the
// state directory. After Down it returns nothing.
func Leftovers(o Options) ([]string, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, find := range []func(Options) ([]string, error){leftProcesses, leftMounts, leftLoops, leftLinks, leftGroups,
		leftFiles} {
		found, err := find(o)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// leftProcesses finds processes that run a binary of the clusters or have one of their directories open.
func leftProcesses(o Options) ([]string, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, dir := range dirs {
		executable, _ := os.Readlink(filepath.Join(dir, "exe")) // it may have ended since
		work, _ := os.Readlink(filepath.Join(dir, "cwd"))
		if within(executable, o.Dir) || within(work, o.Dir) {
			all = append(all, fmt.Sprintf("process %s (%s)", filepath.Base(dir), executable))
		}
	}
	return all, nil
}

func within(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

func leftMounts(o Options) ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, o.Dir+"/") || strings.Contains(line, "/netns/cni-") {
			all = append(all, "mount "+strings.Fields(line)[4])
		}
	}
	return all, nil
}

// leftLoops finds devices whose file, perhaps deleted, is in the state directory.
func leftLoops(o Options) ([]string, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, file := range files {
		data, _ := os.ReadFile(file) // it may have been released since
		if within(string(data), o.Dir) {
			all = append(all, "loop device of "+strings.TrimSpace(string(data)))
		}
	}
	return all, nil
}

func leftLinks(o Options) ([]string, error) {
	var links []link
	if err := ipJSON(&links, "link", "show"); err != nil {
		return nil, err
	}
	owner, err := bridgeOwner()
	if err != nil || owner != "" && owner != o.Dir {
		return nil, err
	}
	var all []string
	for _, l := range links {
		if l.Name == bridge || strings.HasPrefix(l.Name, linkPrefix) {
			all = append(all, "network link "+l.Name)
		}
	}
	return all, nil
}

func leftGroups(o Options) ([]string, error) {
	mounts, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, root := range mounts {
		found, err := filepath.Glob(filepath.Join(root, "sluice-*"+cgroupSuffix(o.Dir)))
		if err != nil {
			return nil, err
		}
		for _, dir := range found {
			all = append(all, "control group "+dir)
		}
	}
	return all, nil
}

func leftFiles(o Options) ([]string, error) {
	var all []string
	for _, path := range []string{o.clusterDir(first), o.clusterDir(second), o.clusterDir(kwok), o.kubeconfig(),
		filepath.Join(o.Dir, mountPointsFile)} {
		if _, err := os.Lstat(path); err == nil {
			all = append(all, path)
		}
	}
	return all, nil
}
