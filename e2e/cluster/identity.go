package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const identityFile = "supervisor.json"

// An identity is unique to a process: process numbers are reused, but never
// with the same start time since the same boot.
type identity struct {
	PID     int
	Started string // in ticks since boot
	Boot    string
}

func identify(pid int) (identity, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, err
	}
	fields, err := statOf(pid)
	if err != nil {
		return identity{}, err
	}
	return identity{PID: pid, Started: fields[startTime], Boot: strings.TrimSpace(string(boot))}, nil
}

// Fields of a process, as statOf returns them. Times are in ticks.
const (
	userTime   = 11
	systemTime = 12
	startTime  = 19 // since boot

	tick = 10 * time.Millisecond // whatever the kernel's own clock is
)

// statOf returns what the kernel says of a process, from its state on.
func statOf(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	// The name, in brackets, can contain any character.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) <= startTime {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

func (s spec) recordSupervisor(id identity) error {
	data, err := json.Marshal(id)
	if err != nil {
		return err
	}
	temp := s.file(identityFile + ".new")
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, s.file(identityFile))
}

// supervisor returns the cluster's process if it is alive.
func (s spec) supervisor() (identity, bool) {
	var recorded identity
	data, err := os.ReadFile(filepath.Join(s.Dir, identityFile))
	if err != nil || json.Unmarshal(data, &recorded) != nil {
		return identity{}, false
	}
	now, err := identify(recorded.PID)
	return recorded, err == nil && now == recorded
}

// kill ends the supervisor, and with it every process of its namespace, and
// returns when all are gone.
func (id identity) kill() error {
	fd, err := unix.PidfdOpen(id.PID, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if now, err := identify(id.PID); err != nil || now != id {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, syscall.SIGKILL, nil, 0); err != nil {
		return err
	}
	return awaitEnd(fd, 30*time.Second)
}

func awaitEnd(pidfd int, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			return fmt.Errorf("a killed process has not ended within %v", limit)
		}
		return err
	}
}
