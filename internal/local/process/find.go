package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Find returns the live processes of this user whose environment holds the mark, "NAME=value". Children
// inherit the mark, so those that left their session are found too.
func Find(mark string) ([]Identity, error) {
	var found []Identity
	err := each(func(pid int) {
		if !marked(environment(pid), mark) {
			return
		}
		if id, err := Identify(pid); err == nil && marked(environment(pid), mark) && id.Alive() {
			found = append(found, id)
		}
	})
	return found, err
}

// A Marked process has the environment that it was started with.
type Marked struct {
	Identity
	Env map[string]string
}

// With returns the live processes of this user whose environment holds the variable.
func With(variable string) ([]Marked, error) {
	var found []Marked
	err := each(func(pid int) {
		env := map[string]string{}
		for setting := range bytes.SplitSeq(environment(pid), []byte{0}) {
			name, value, _ := strings.Cut(string(setting), "=")
			env[name] = value
		}
		if _, ok := env[variable]; !ok {
			return
		}
		if id, err := Identify(pid); err == nil && id.Alive() {
			found = append(found, Marked{id, env})
		}
	})
	return found, err
}

// each calls look with the number of every process. A system without /proc runs no local account, so it has none.
func each(look func(pid int)) error {
	dir, err := os.Open("/proc")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			look(pid)
		}
	}
	return nil
}

// environment returns nothing for a process of somebody else or one that has just ended. A process whose program is
// being replaced has none for a moment, but a file that it executes; this is looked at again.
func environment(pid int) []byte {
	dir := "/proc/" + strconv.Itoa(pid)
	for range 10 {
		env, err := os.ReadFile(dir + "/environ")
		if err != nil || len(env) > 0 {
			return env
		}
		if _, err := os.Readlink(dir + "/exe"); err != nil {
			return nil // a thread of the kernel
		}
		<-time.After(time.Millisecond)
	}
	return nil
}

func marked(env []byte, mark string) bool {
	return bytes.HasPrefix(env, []byte(mark+"\x00")) || bytes.Contains(env, []byte("\x00"+mark+"\x00"))
}

// Kill ends every process that carries the mark and returns when none is left. It repeats the search until it finds
// none, because a process may fork while it is killed.
func Kill(mark string) error {
	for range 1000 {
		ids, err := Find(mark)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := kill(id); err != nil {
				return err
			}
		}
	}
	return errors.New("processes start faster than they can be ended")
}

// End asks every process that carries the mark to end, and kills those that have not ended within the grace period.
func End(mark string, grace time.Duration) error {
	ids, err := Find(mark)
	if err != nil {
		return err
	}
	deadline := time.After(grace)
	for _, id := range ids {
		if err := id.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	for _, id := range ids {
		p, err := Adopt(id)
		if err != nil {
			continue // it has ended
		}
		select {
		case <-p.Done():
		case <-deadline:
			return Kill(mark)
		}
	}
	return Kill(mark)
}

func kill(id Identity) error {
	p, err := Adopt(id)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := id.Signal(unix.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.Done()
	return nil
}

// Freeze stops every process that carries the mark. It returns them once all have stopped. It calls note for each
// before it stops it.
func Freeze(mark string, deadline time.Time, note func(Identity) error) ([]Identity, error) {
	noted := map[Identity]bool{}
	for {
		ids, err := Find(mark)
		if err != nil {
			return nil, err
		}
		fresh := 0
		for _, id := range ids {
			if noted[id] {
				continue
			}
			fresh++
			noted[id] = true
			if err := stop(id, note); err != nil {
				return nil, err
			}
		}
		// Only a search that finds no new process, after all earlier ones were stopped, proves that none escaped by forking.
		if fresh == 0 {
			return ids, nil
		}
		if err := awaitStopped(ids, deadline); err != nil {
			return nil, err
		}
	}
}

func stop(id Identity, note func(Identity) error) error {
	if err := note(id); err != nil {
		return err
	}
	if err := id.Signal(unix.SIGSTOP); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// awaitStopped looks every half millisecond: the kernel tells nobody but a parent that a process has stopped.
func awaitStopped(ids []Identity, deadline time.Time) error {
	for _, id := range ids {
		for !Stopped(id) {
			if time.Now().After(deadline) {
				return os.ErrDeadlineExceeded
			}
			<-time.After(500 * time.Microsecond)
		}
	}
	return nil
}

// Stopped reports whether every thread of the process is stopped, or the process has ended.
func Stopped(id Identity) bool {
	if id.state().ended() {
		return true
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", id.PID))
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(threads, func(file string) bool {
		st, err := readStat(file)
		return err == nil && !st.state.stopped() && !st.state.ended()
	})
}

// Continue lets the processes run again.
func Continue(ids []Identity) error {
	var errs []error
	for _, id := range ids {
		if err := id.Signal(unix.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// KillOne ends this very process and returns when it is gone.
func KillOne(id Identity) error { return kill(id) }
