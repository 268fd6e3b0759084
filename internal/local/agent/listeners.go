package agent

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A listener is a listening TCP socket of this machine.
type listener struct {
	at    netip.AddrPort
	uid   string // its user
	inode string
}

// listeners reads the listening TCP sockets. It returns none of a file that does not exist.
func listeners() []listener {
	var found []listener
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			const listening = "0A"
			if len(f) < 10 || f[3] != listening {
				continue
			}
			if at, ok := parseSocket(f[1]); ok {
				found = append(found, listener{at, f[7], f[9]})
			}
		}
	}
	return found
}

// parseSocket reads "0100007F:1F90": the words of the address in the byte order of this machine, then the port.
func parseSocket(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), ok
}

// free returns EADDRINUSE if a program listens at the address, and EACCES if this user may not use the port. It takes
// nothing for itself: even an address that is bound for a moment would be missed by the program that is to have it,
// and a process that starts in that moment inherits the socket. Only spare, which nobody else uses, is bound.
func free(ip string, port int32, spare string) error {
	at, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	wanted := netip.AddrPortFrom(at, uint16(port))
	if slices.ContainsFunc(listeners(), func(l listener) bool { return l.at == wanted }) {
		return unix.EADDRINUSE
	}
	return bind(spare, port)
}

// holder says who listens on the address and port, "" if that cannot be seen.
func holder(ip string, port int32) string {
	for _, l := range listeners() {
		if l.at.Port() != uint16(port) || l.at.Addr().String() != ip && !l.at.Addr().IsUnspecified() {
			continue
		}
		if pid := socketOwner(l.inode); pid != "" {
			return processName(pid)
		}
		return "a process of the user " + userName(l.uid)
	}
	return ""
}

// socketOwner returns the number of a process that has the socket open, "" if this user may not see it.
func socketOwner(inode string) string {
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && to == "socket:["+inode+"]" {
			return strings.Split(fd, "/")[2]
		}
	}
	return ""
}

func userName(uid string) string {
	u, err := user.LookupId(uid)
	if err != nil {
		return uid
	}
	return u.Username
}

func processName(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
}
