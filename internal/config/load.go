package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/regular"
)

// Find returns the path of the first sluice.yaml in the directories, "" if none has one.
func Find(dirs ...string) (string, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, FileName)
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", sluice.Errorf(sluice.Invalid, "%s cannot be read: %w", path, err)
		}
	}
	return "", nil
}

// Load reads the file. A missing file is NotFound. A file with mistakes fails with sluice.Diagnostics that list all.
func Load(file string) (*Config, error) {
	data, err := Read(file)
	if err != nil {
		return nil, err
	}
	c, ds := Parse(file, data)
	if ds.HasErrors() {
		return nil, ds
	}
	return c, nil
}

// Read returns the content of the file. A missing file is NotFound. One that is not a regular file, or is too large to
// be a configuration, is Invalid.
func Read(file string) ([]byte, error) {
	data, err := regular.File(file, int64(limits.Bytes))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sluice.Errorf(sluice.NotFound, "there is no file %s", file).
			WithHint("name the configuration with --config, or leave it out to use the defaults")
	}
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%s cannot be read: %w", file, err).
			WithHint("name a configuration file with --config")
	}
	return data, nil
}
