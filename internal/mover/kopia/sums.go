package kopia

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/kopia/kopia/repo/format"

	"github.com/sluice-cd/sluice"
)

// settings are the files that kopia needs before it can read anything else. It takes damage in them for a wrong
// password or for a repository that is not there, so their checksums are kept beside them.
var settings = []string{".shards", format.KopiaRepositoryBlobID + ".f", format.KopiaBlobCfgBlobID + ".f"}

// sumsFile holds the SHA-256 of each of the settings, by its name.
const sumsFile = ".sums"

// sums returns the checksums of the settings as they are. A file that is not there has none.
func (m *Mover) sums() (map[string]string, error) {
	all := map[string]string{}
	for _, name := range settings {
		data, err := os.ReadFile(filepath.Join(m.options.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		all[name] = hex.EncodeToString(sum[:])
	}
	return all, nil
}

// recorded returns the checksums from when the repository could be opened last, none if it never was.
func (m *Mover) recorded() map[string]string {
	var all map[string]string
	data, err := os.ReadFile(filepath.Join(m.options.Dir, sumsFile))
	if err != nil || json.Unmarshal(data, &all) != nil {
		return nil
	}
	return all
}

// record keeps the checksums of a repository that could be opened. If that fails, the next one tries again.
func (m *Mover) record() {
	if m.options.S3 != nil {
		return // the server keeps checksums
	}
	now, err := m.sums()
	if err != nil || maps.Equal(now, m.recorded()) {
		return
	}
	data, err := json.Marshal(now)
	if err != nil {
		return
	}
	temp, err := os.CreateTemp(m.options.Dir, sumsFile+"-*")
	if err != nil {
		return
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if errors.Join(err, temp.Sync(), temp.Close()) == nil {
		_ = os.Rename(temp.Name(), filepath.Join(m.options.Dir, sumsFile))
	}
}

// unopened says why the repository cannot be opened: because a file of it is damaged, if that may be the cause.
func (m *Mover) unopened(err error) error {
	known := m.fault("open", err)
	if code := sluice.ErrorCode(known); code != sluice.Denied && code != sluice.Failed {
		return known
	}
	if m.options.S3 != nil {
		return known
	}
	hint := "check the disk below %s, and restore the directory from a backup or move it away to begin a new repository"
	now, sumErr := m.sums()
	if sumErr != nil {
		return known
	}
	for name, sum := range m.recorded() {
		if now[name] != sum {
			return sluice.Errorf(sluice.Failed, "the repository %s is damaged: its file %s is not as it was written",
				m.place, name).WithHint(hint, m.place)
		}
	}
	if _, ours := errors.AsType[*sluice.Error](err); ours || sluice.ErrorCode(known) == sluice.Denied {
		return known
	}
	return sluice.Errorf(sluice.Failed, "the repository %s is damaged: %w", m.place, err).WithHint(hint, m.place)
}
