package local

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestLocalAccountsNeedLinux(t *testing.T) {
	if err := supportedOn("linux"); err != nil {
		t.Error(err)
	}
	if err := supportedOn("darwin"); sluice.ErrorCode(err) != sluice.Unsupported || sluice.ErrorHint(err) == "" {
		t.Errorf("%v, want Unsupported with a hint", err)
	}
}
