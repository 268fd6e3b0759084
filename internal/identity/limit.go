package identity

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A pace allows so many at once, and then one each time.
type pace struct {
	atOnce int
	every  time.Duration
}

func (p pace) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(p.every), p.atOnce) }

// How often logins begin and finish, from one address and in all. Each takes two requests.
var (
	logins    = pace{20, 3 * time.Second}
	allLogins = pace{200, 100 * time.Millisecond}
)

const maxAddresses = 4096 // that are remembered, twice

// limits bound something for each address and in all.
type limits struct {
	now  func() time.Time
	each pace
	all  *rate.Limiter

	mu sync.Mutex
	// Addresses that came since the last change of generation, and those before. A limiter is full again long before
	// it is forgotten, unless that many other addresses come; then the limit for all holds.
	young, old map[string]*rate.Limiter
}

func newLimits(now func() time.Time, each, all pace) *limits {
	return &limits{now: now, each: each, all: all.limiter(), young: map[string]*rate.Limiter{}}
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
		r = l.each.limiter()
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
