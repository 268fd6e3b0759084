package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// EndOnly in the environment of a new agent makes it start nothing.
const EndOnly = "SLUICE_END_ONLY=1"

// downFile says that the account was taken down on purpose.
const downFile = "down"

// IsDown reports whether the account in the directory was taken down or does not exist.
func IsDown(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, downFile)); err == nil {
		return true
	}
	_, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}

// Down ends every pod, gracefully, and then the agent. The objects stay and come back with the next agent. It does not
// stop half-way when the client leaves. A pod whose end cannot be recorded, because the disk is full, ends at once.
func (a *Agent) Down() error {
	a.mu.Lock()
	a.ending = true
	var pods []*pod
	var err error
	for _, p := range a.pods {
		if stopErr := a.stop(p, "the account goes down"); stopErr != nil {
			err = errors.Join(err, stopErr)
			continue
		}
		pods = append(pods, p)
	}
	a.mu.Unlock()
	for _, p := range pods {
		<-p.done
	}
	err = errors.Join(err, process.Kill(accountMark(a.id)), writeFile(filepath.Join(a.dir, downFile), nil))
	a.quit()
	return err
}
