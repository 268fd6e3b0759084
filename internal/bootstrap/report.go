package bootstrap

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// KeepReport writes the verification that the event ends into a file of its own. A repetition changes nothing.
func (d StateDir) KeepReport(s *engine.State, e sluice.Event) error {
	v := verification(e)
	if v == nil {
		return nil
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(d.Report(s.ID, e.Step), append(data, '\n'))
}

// verification returns the verification that an event ends, nil if it ends none.
func verification(e sluice.Event) *sluice.Verification {
	if e.Kind != sluice.StepDone && e.Kind != sluice.StepFailed {
		return nil
	}
	if e.Failure != nil && e.Failure.Result != nil && e.Failure.Result.Verification != nil {
		return e.Failure.Result.Verification
	}
	if e.Progress != nil && e.Progress.Result != nil {
		return e.Progress.Result.Verification
	}
	return nil
}

// Report returns the path of a step's verification.
func (d StateDir) Report(id sluice.DeploymentID, step sluice.StepID) string {
	return filepath.Join(d.Path("reports"), string(id), strings.ReplaceAll(string(step), "/", ".")+".json")
}

// writeFile replaces the file durably and atomically. It creates the directory.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".next-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
