package outbound

import (
	"net"
	"net/netip"
	"slices"
)

// IsThisMachine reports whether the address leads to this machine: loopback, unspecified, or one of its interfaces.
func IsThisMachine(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	return slices.Contains(addresses(), a)
}

// Reachable returns an address of this machine that others may reach, IPv4 if there is one, and false if there is none.
func Reachable() (netip.Addr, bool) {
	all := slices.DeleteFunc(addresses(), func(a netip.Addr) bool { return !a.IsGlobalUnicast() })
	if i := slices.IndexFunc(all, netip.Addr.Is4); i >= 0 {
		return all[i], true
	}
	if len(all) == 0 {
		return netip.Addr{}, false
	}
	return all[0], true
}

// addresses returns the addresses of the interfaces, none if the system does not tell.
func addresses() []netip.Addr {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			all = append(all, p.Addr().Unmap().WithZone(""))
		}
	}
	return all
}
