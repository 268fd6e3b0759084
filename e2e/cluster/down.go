package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Down ends every cluster in the state directory and removes what they left;
// built binaries and images stay. It is harmless if none is up, and an error if
// anything is left.
func Down(o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	if _, err := os.Stat(o.Dir); os.IsNotExist(err) {
		return nil
	}
	unlock, err := o.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range names {
		if err := o.newSpec(name).down(); err != nil {
			return fmt.Errorf("end %s: %w", name, err)
		}
	}
	if owner, err := bridgeOwner(); err != nil || owner == o.Dir {
		if err := errors.Join(err, removeLink(bridge)); err != nil {
			return err
		}
	}
	if err := os.Remove(o.kubeconfig()); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := o.removeMountPoints(); err != nil {
		return err
	}
	left, err := Leftovers(o)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	return err
}

// down ends one cluster. It finds everything by name, also if Up did not finish.
func (s spec) down() error {
	if _, err := os.Stat(s.Dir); os.IsNotExist(err) {
		return nil
	}
	if id, alive := s.supervisor(); alive {
		if err := id.kill(); err != nil {
			return err
		}
	}
	if err := s.disconnect(); err != nil {
		return err
	}
	if err := s.removeCgroup(); err != nil {
		return err
	}
	if err := s.awaitLoops(); err != nil {
		return err
	}
	return os.RemoveAll(s.Dir)
}

// awaitLoops gives the kernel a moment to release the volumes' files with the mounts of processes that have ended,
// because no event reports that.
func (s spec) awaitLoops() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return wait.PollUntilContextCancel(ctx, probeInterval, true, func(context.Context) (bool, error) {
		left, err := leftLoops(Options{Dir: s.Dir})
		return len(left) == 0, err
	})
}

// mountPointsFile lists the directories that were created as mount points.
const mountPointsFile = "mountpoints"

func (o Options) makeMountPoints() error {
	for _, dir := range hiddenDirs {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			continue
		}
		f, err := os.OpenFile(filepath.Join(o.Dir, mountPointsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, dir)
		if err := errors.Join(err, f.Close(), os.MkdirAll(dir, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) removeMountPoints() error {
	file := filepath.Join(o.Dir, mountPointsFile)
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for dir := range strings.Lines(string(data)) {
		// The directory stays if somebody else has put something there in the meantime.
		if err := os.Remove(strings.TrimSpace(dir)); err != nil && !os.IsNotExist(err) && !isNotEmpty(err) {
			return err
		}
	}
	return os.Remove(file)
}
