package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// keepReport writes the whole verification of a step into a file of its own. Writing it again changes nothing.
func (a *app) keepReport(s *engine.State, e sluice.Event) error {
	v := verification(e)
	if v == nil {
		return nil
	}
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(dir.report(s.ID, e.Step), append(data, '\n'))
}

// verification is the evidence that an event brings to its end, nil where it brings none.
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

// report is where the verification of a step lies.
func (d stateDir) report(id sluice.DeploymentID, step sluice.StepID) string {
	return filepath.Join(d.path("reports"), string(id), stepFile(step, ".json"))
}

// writeFile replaces the file as a whole, durably, making its directory.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
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
