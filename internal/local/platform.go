package local

import (
	"runtime"

	"github.com/sluice-cd/sluice"
)

// Supported returns Unsupported if this machine cannot run local accounts. They need Linux: a loopback address for each
// pod, and processes that can be told apart for certain.
func Supported() error { return supportedOn(runtime.GOOS) }

func supportedOn(system string) error {
	if system == "linux" {
		return nil
	}
	return sluice.Errorf(sluice.Unsupported, "local accounts and rehearsals need Linux, and this machine runs %s", system).
		WithHint("deploy to an account of type kubernetes, or type the same command on a Linux machine or in a container")
}
