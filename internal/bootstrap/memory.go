package bootstrap

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to one and a half times of what is in use. Go's own value is 100, for twice as much.
const gcPercent = 50

// SaveMemory has this process collect garbage more often than others, unless GOGC says how often. Sluice and its Jobs
// run beside applications and databases, which need the memory; the processor time is small.
func SaveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
