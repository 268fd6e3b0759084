package identity

import (
	"net/netip"
	"testing"
	"time"
)

// However many addresses come, the memory for them is bounded.
func TestLimitsForgetAddresses(t *testing.T) {
	now := time.Now()
	l := newLimits(func() time.Time { return now }, logins, allLogins)
	address := netip.MustParseAddr("10.0.0.0")
	for range 5 * maxAddresses {
		l.allow(address.String())
		address = address.Next()
	}
	if n := len(l.young) + len(l.old); n > 2*maxAddresses || n < maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
}
