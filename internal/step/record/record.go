// Package record encodes what a step writes into the log for itself: its snapshot and its data.
package record

import (
	"encoding/json"

	"github.com/sluice-cd/sluice"
)

// Write returns v as a step keeps it in Progress.Data or Preview.Snapshot.
func Write(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "this step's own record cannot be written: %w", err)
	}
	return raw, nil
}

// Read reads into v what Write returned. It leaves v as it is if nothing was recorded.
func Read(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return sluice.Errorf(sluice.Internal, "this step's own record cannot be read: %w", err)
	}
	return nil
}
