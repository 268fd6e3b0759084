package step

import (
	"encoding/json"

	"github.com/sluice-cd/sluice"
)

// record returns v as a step keeps it in Progress.Data or Preview.Image.
func record(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "this step's own record cannot be written: %w", err)
	}
	return raw, nil
}

// recall reads what record wrote; nothing recorded leaves v as it is.
func recall(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return sluice.Errorf(sluice.Internal, "this step's own record cannot be read: %w", err)
	}
	return nil
}
