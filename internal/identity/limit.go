package identity

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often logins begin and finish. Each takes two requests.
const (
	loginsAtOnce    = 20 // from one address
	loginEvery      = 3 * time.Second
	allLoginsAtOnce = 200
	allLoginsEvery  = 100 * time.Millisecond
	maxAddresses    = 4096 // that are remembered, twice
)

// limits bound logins for each address and in all.
type limits struct {
	now func() time.Time
	all *rate.Limiter

	mu sync.Mutex
	// Addresses that came since the last change of generation, and those before. A limiter is full again long before
	// it is forgotten, unless that many other addresses come; then the limit for all holds.
	young, old map[string]*rate.Limiter
}

func newLimits(now func() time.Time) *limits {
	return &limits{
		now: now, all: rate.NewLimiter(rate.Every(allLoginsEvery), allLoginsAtOnce), young: map[string]*rate.Limiter{},
	}
}

// allow counts a request from the address, and reports whether it may go on.
func (l *limits) allow(address string) bool {
	now := l.now()
	return l.of(network(address)).AllowN(now, 1) && l.all.AllowN(now, 1)
}

func (l *limits) of(network string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.young[network]; r != nil {
		return r
	}
	r := l.old[network]
	if r == nil {
		r = rate.NewLimiter(rate.Every(loginEvery), loginsAtOnce)
	}
	if len(l.young) >= maxAddresses {
		l.old, l.young = l.young, map[string]*rate.Limiter{}
	}
	l.young[network] = r
	return r
}

// network returns what one caller may have all addresses of: an address of IPv4, or 64 bits of IPv6.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	return netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
}
