package bootstrap

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// Configuration reads the sluice.yaml at the explicit path, or that of a deploy file. Without either it reads the one
// that the last engine of this directory used, so that account names keep their meaning, or the working directory's.
func (d StateDir) Configuration(explicit, file string) (*config.Config, error) {
	path, err := d.configurationPath(explicit, file)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return config.Default(), nil
	}
	return config.Load(path)
}

func (d StateDir) configurationPath(explicit, file string) (string, error) {
	if explicit != "" {
		return explicit, nil
	}
	if file != "" {
		return config.Find(filepath.Dir(file), ".")
	}
	if path, err := d.remembered(); path != "" || err != nil {
		return path, err
	}
	return config.Find(".")
}

// remembered returns the path of the sluice.yaml that the last engine used, "" if it used none.
func (d StateDir) remembered() (string, error) {
	path, err := os.ReadFile(d.Path("configuration"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the state directory cannot be read: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}

// remember records the path of the sluice.yaml. The caller holds the lock.
func (d StateDir) remember(c *config.Config) error {
	path, err := absolute(c.File)
	if err != nil {
		return err
	}
	next := d.Path("configuration.next")
	if err = os.WriteFile(next, []byte(path+"\n"), 0o600); err == nil {
		err = os.Rename(next, d.Path("configuration"))
	}
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the state directory cannot be written: %w", err)
	}
	return nil
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// sameConfiguration returns an error if the engine of this directory uses another sluice.yaml: an account of the same
// name may be another place there.
func (d StateDir) sameConfiguration(c *config.Config) error {
	theirs, err := d.remembered()
	if err != nil {
		return err
	}
	ours, err := absolute(c.File)
	if err != nil || ours == theirs {
		return err
	}
	return sluice.Errorf(sluice.Conflict, "the sluice that runs deployments in %s uses %s, and this command uses %s",
		d, named(theirs), named(ours)).
		WithHint("wait until it ends, name the same file with --config, or use another state directory with --state")
}

func named(path string) string {
	if path == "" {
		return "no " + config.FileName
	}
	return path
}
