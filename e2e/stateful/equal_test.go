package stateful_test

import (
	"encoding/json"

	"github.com/sluice-cd/sluice"
)

// equal compares objects as JSON, where a number has only one form.
func equal(a, b sluice.Object) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
