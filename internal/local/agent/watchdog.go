package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// A watchdog is a separate process that continues frozen processes when the lease ends or the agent dies. It is told of
// each process before that is stopped. The end of its input says that nobody else will continue them.
type watchdog struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	stop sync.Once
	held bool
	err  error
}

// The watchdog's words: the lease on its first line, then identities, then released; it answers ready and held.
const (
	saysReady    = "ready"
	saysReleased = "released"
	saysHeld     = "held"
)

func startWatchdog(lease time.Duration) (*watchdog, error) {
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), roleVariable+"="+roleWatchdog)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &watchdog{cmd: cmd, in: in, out: bufio.NewReader(out)}
	if _, err := fmt.Fprintln(in, lease); err != nil {
		return nil, errors.Join(err, w.abandon())
	}
	if line, err := w.out.ReadString('\n'); err != nil || strings.TrimSpace(line) != saysReady {
		return nil, errors.Join(errors.New("the watchdog did not start"), err, w.abandon())
	}
	return w, nil
}

// note tells the watchdog about a process that is about to be stopped.
func (w *watchdog) note(id process.Identity) error { return json.NewEncoder(w.in).Encode(id) }

// release continues all processes and reports whether the lease held until now.
func (w *watchdog) release() (held bool, err error) {
	w.stop.Do(func() {
		_, err := fmt.Fprintln(w.in, saysReleased)
		line, readErr := w.out.ReadString('\n')
		w.held = strings.TrimSpace(line) == saysHeld
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			err = errors.Join(err, readErr)
		}
		w.err = errors.Join(err, w.in.Close(), w.cmd.Wait())
	})
	return w.held, w.err
}

func (w *watchdog) abandon() error { return errors.Join(w.in.Close(), w.cmd.Wait()) }

// runWatchdog is the watchdog's own process.
func runWatchdog(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return lines.Err()
	}
	lease, err := time.ParseDuration(lines.Text())
	if err != nil {
		return err
	}
	said := make(chan string)
	go func() {
		defer close(said)
		for lines.Scan() {
			said <- lines.Text()
		}
	}()
	if _, err := fmt.Fprintln(out, saysReady); err != nil {
		return err
	}
	return guard(said, time.After(lease), out)
}

// guard collects identities until it is released, its input ends, or the lease does.
func guard(said <-chan string, end <-chan time.Time, out io.Writer) error {
	var ids []process.Identity
	expired := false
	for {
		select {
		case <-end:
			expired = true
			if err := process.Continue(ids); err != nil {
				return err
			}
		case line, ok := <-said:
			if ok && line != saysReleased {
				var id process.Identity
				if err := json.Unmarshal([]byte(line), &id); err != nil {
					return errors.Join(err, process.Continue(ids))
				}
				ids = append(ids, id)
				continue
			}
			err := process.Continue(ids)
			if ok && !expired && err == nil {
				_, err = fmt.Fprintln(out, saysHeld)
			}
			return err
		}
	}
}
