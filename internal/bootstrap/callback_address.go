package bootstrap

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// listenCallbacks opens the callback address, the same as last time if possible, and returns its URL.
func (i Instance) listenCallbacks() (net.Listener, string, error) {
	l, moved, err := listenAgain(i.Config.Webhooks.CallbackAddress, i.Dir.Path("callback-port"))
	if err != nil {
		return nil, "", err
	}
	if moved {
		i.Note("warning: the previous callback address is taken; callbacks now arrive at %s", l.Addr())
	}
	return l, cmp.Or(i.Config.Webhooks.CallbackURL, "http://"+reachable(l.Addr())), nil
}

// reachable returns the address, or one of this machine's if it stands for all of them.
func reachable(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if own, ok := outbound.Reachable(); err == nil && ok && ap.Addr().IsUnspecified() {
		return netip.AddrPortFrom(own, ap.Port()).String()
	}
	return a.String()
}

// listenAgain listens at the address. If its port is 0, it takes the previous port, which the record file holds, so
// that URLs stay valid after a restart. If there is none or it is taken, it takes a free port and records it; moved
// reports that the previous port was taken.
func listenAgain(address, record string) (l net.Listener, moved bool, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, false, sluice.Errorf(sluice.Invalid, "the callback address %q is not of the form host:port", address)
	}
	if port == "0" {
		last, err := os.ReadFile(record)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, false, sluice.Errorf(sluice.Unavailable, "read the last callback address: %w", err)
		}
		if again := strings.TrimSpace(string(last)); again != "" {
			if l, err := net.Listen("tcp", net.JoinHostPort(host, again)); err == nil {
				return l, false, nil
			}
			moved = true
		}
	}
	l, err = net.Listen("tcp", address)
	if err != nil {
		return nil, false, sluice.Errorf(sluice.Exhausted, "callbacks cannot be received at %s: %w", address, err).
			WithHint("set another webhooks.callbackAddress in sluice.yaml")
	}
	if port != "0" {
		return l, false, nil
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	if err := writeFile(record, []byte(port+"\n")); err != nil {
		return nil, false, errors.Join(sluice.Errorf(sluice.Unavailable, "record the callback address: %w", err), l.Close())
	}
	return l, moved, nil
}
