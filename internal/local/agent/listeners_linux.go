package agent

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// bind fails as listening would, for a low port or a program that listens on every address, but does not listen.
func bind(ip string, port int32) error {
	at, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Port: int(port), Addr: at.As4()})
}
