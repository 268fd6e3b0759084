package agent

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

// A network is the account's own part of the loopback addresses, 127.x.0.0/16: Services in the lower half,
// pods in the upper.
type network struct {
	Second int `json:"second"` // the x
	Turn   int `json:"-"`      // the pod address handed out last, so that addresses are not reused soon
	claim  net.Listener
}

// openNetwork takes the recorded part, or one that follows from the directory's name and that nobody uses.
func openNetwork(dir string) (*network, error) {
	file := filepath.Join(dir, "network.json")
	n := &network{}
	known, err := readJSON(file, n)
	if err != nil {
		return nil, err
	}
	if known {
		return n, n.take()
	}
	h := fnv.New32a()
	h.Write([]byte(dir))
	for i := range 253 {
		n.Second = 1 + (int(h.Sum32()%253)+i)%253
		if n.inUse() || n.take() != nil {
			continue
		}
		return n, writeJSON(file, n)
	}
	return nil, sluice.Errorf(sluice.Exhausted, "every part of 127.0.0.0/8 is in use").
		WithHint("end other local accounts with: sluice local down")
}

// take claims the part among the agents of this machine for as long as this process lives: an abstract socket
// of one name can be opened once and vanishes with its process.
func (n *network) take() error {
	l, err := net.Listen("unix", fmt.Sprintf("@sluice-local-127.%d", n.Second))
	if errors.Is(err, unix.EADDRINUSE) {
		return sluice.Errorf(sluice.Exhausted, "another local account uses 127.%d.0.0/16", n.Second).
			WithHint("end it with: sluice local down")
	}
	n.claim = l
	return err
}

func (n *network) inUse() bool {
	for _, s := range listeners() {
		if strings.HasPrefix(s.address, fmt.Sprintf("127.%d.", n.Second)) {
			return true
		}
	}
	return false
}

func (n *network) owns(ip string) bool {
	return strings.HasPrefix(ip, fmt.Sprintf("127.%d.", n.Second))
}

const half = 1 << 15

// podAddress returns the next free address for a pod.
func (n *network) podAddress(used map[string]bool) (string, error) {
	for range half {
		n.Turn = (n.Turn + 1) % half
		if ip := n.address(half + n.Turn); ip != "" && !used[ip] {
			return ip, nil
		}
	}
	return "", sluice.Errorf(sluice.Exhausted, "every pod address of 127.%d.0.0/16 is in use", n.Second)
}

// serviceAddress returns the first free address for a Service.
func (n *network) serviceAddress(used map[string]bool) (string, error) {
	for i := range half {
		if ip := n.address(i); ip != "" && !used[ip] {
			return ip, nil
		}
	}
	return "", sluice.Errorf(sluice.Exhausted, "every Service address of 127.%d.0.0/16 is in use", n.Second)
}

// address leaves out those that end in 0 and 255, which some programs take for networks.
func (n *network) address(i int) string {
	if i%256 == 0 || i%256 == 255 {
		return ""
	}
	return fmt.Sprintf("127.%d.%d.%d", n.Second, i/256, i%256)
}

// A listener is a listening socket of this machine.
type listener struct {
	address string
	port    int
	inode   string
}

// listeners reads the listening TCP sockets. It returns none if the file does not exist.
func listeners() []listener {
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return nil
	}
	var found []listener
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		const listening = "0A"
		if len(f) < 10 || f[3] != listening {
			continue
		}
		var port int
		addr, hexPort, _ := strings.Cut(f[1], ":")
		raw, err := hex.DecodeString(addr)
		if _, scanErr := fmt.Sscanf(hexPort, "%x", &port); err != nil || scanErr != nil || len(raw) != 4 {
			continue
		}
		found = append(found, listener{fmt.Sprintf("%d.%d.%d.%d", raw[3], raw[2], raw[1], raw[0]), port, f[9]})
	}
	return found
}

// holder says which process listens on the address and port, "" if that cannot be seen.
func holder(ip string, port int) string {
	for _, l := range listeners() {
		if l.port != port || l.address != ip && l.address != "0.0.0.0" {
			continue
		}
		fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
		if err != nil {
			return ""
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == "socket:["+l.inode+"]" {
				return processName(strings.Split(fd, "/")[2])
			}
		}
	}
	return ""
}

func processName(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
}
