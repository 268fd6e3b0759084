package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// An Identity distinguishes a process from every other process that had or will have its number.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since boot
	Boot  string `json:"boot"`
}

var boot = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
})

// Identify returns the identity of the process that has the number now.
func Identify(pid int) (Identity, error) {
	id, err := boot()
	if err != nil {
		return Identity{}, err
	}
	st, err := readStat(statFile(pid))
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Start: st.start, Boot: id}, nil
}

// Alive reports whether the process still runs. A zombie does not.
func (id Identity) Alive() bool {
	return id.stillThere() && !id.state().ended()
}

func (id Identity) stillThere() bool {
	now, err := Identify(id.PID)
	return err == nil && now == id
}

func (id Identity) state() state {
	st, err := readStat(statFile(id.PID))
	if err != nil || st.start != id.Start {
		return 'X'
	}
	return st.state
}

// Signal sends the signal to this very process. The error is os.ErrProcessDone if it is gone.
func (id Identity) Signal(sig unix.Signal) error {
	fd, err := id.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = signalFD(fd, sig)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// open returns a descriptor of the process. The identity is looked at after the descriptor pins the number.
func (id Identity) open() (int, error) {
	fd, err := openPID(id.PID)
	if errors.Is(err, unix.ESRCH) {
		return -1, os.ErrProcessDone
	}
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", id.PID, err)
	}
	if !id.stillThere() {
		unix.Close(fd)
		return -1, os.ErrProcessDone
	}
	return fd, nil
}

type state byte

func (s state) ended() bool   { return s == 'Z' || s == 'X' || s == 'x' }
func (s state) stopped() bool { return s == 'T' || s == 't' }

type stat struct {
	state state
	start uint64
}

func statFile(pid int) string { return fmt.Sprintf("/proc/%d/stat", pid) }

// readStat parses the file. The command's name may hold spaces and brackets, so fields count from its end.
func readStat(file string) (stat, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return stat{}, err
	}
	i := bytes.LastIndexByte(b, ')')
	fields := strings.Fields(string(b[i+1:]))
	if i < 0 || len(fields) < 20 {
		return stat{}, fmt.Errorf("%s is not as expected", file)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return stat{}, err
	}
	return stat{state: state(fields[0][0]), start: start}, nil
}
