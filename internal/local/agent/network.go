package agent

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// A network is the account's own block of the loopback addresses, 127.x.0.0/16: Services in the lower half, pods in the
// upper.
//
// No file claims a block, so no claim can be out of date. An agent claims its block with a socket that the kernel gives
// to one process only and takes back when that ends. After the agent has died, the account's processes claim it: each
// has its address in its environment. network.json only says which block the account would like to have again.
type network struct {
	Second int   `json:"second"`           // the x
	Former []int `json:"former,omitempty"` // of blocks that the account had before
	Turn   int   `json:"-"`                // the pod address handed out last, so that addresses are not reused soon
	claim  net.Listener
}

// openNetwork takes the block that is recorded. If others use it and the account has no process, it takes another one,
// and records it.
func openNetwork(dir, id string) (*network, error) {
	n, isNew, err := findNetwork(dir, id)
	if err != nil || !isNew {
		return n, err
	}
	return n, writeJSON(networkFile(dir), n)
}

// findNetwork is openNetwork, but only reports whether the block has to be recorded.
func findNetwork(dir, id string) (n *network, isNew bool, err error) {
	n, known, err := recordedNetwork(dir)
	if err != nil {
		return nil, false, err
	}
	own, err := process.Find(accountMark(id))
	if err != nil {
		return nil, false, err
	}
	if known && len(own) > 0 {
		return n, false, n.take()
	}
	if known && n.takeUnused() {
		return n, false, nil
	}
	if known {
		n.Former = append(n.Former, n.Second)
	}
	return n, true, n.choose(dir)
}

func networkFile(dir string) string { return filepath.Join(dir, "network.json") }

// recordedNetwork returns the network without a claim, and whether one is recorded.
func recordedNetwork(dir string) (*network, bool, error) {
	n := &network{}
	known, err := readJSON(networkFile(dir), n)
	return n, known, err
}

// choose takes the first block that nobody uses. Where it begins follows from the directory's name.
func (n *network) choose(dir string) error {
	h := fnv.New32a()
	h.Write([]byte(dir))
	for i := range 253 {
		n.Second = 1 + (int(h.Sum32()%253)+i)%253
		if n.takeUnused() {
			n.Former = slices.DeleteFunc(n.Former, func(second int) bool { return second == n.Second })
			return nil
		}
	}
	return sluice.Errorf(sluice.Exhausted, "every block of 127.0.0.0/8 is in use").
		WithHint("end other local accounts with: sluice local down")
}

// takeUnused takes the block unless programs use it. It looks after it has taken the block: nobody can begin to use it
// any more.
func (n *network) takeUnused() bool {
	if n.take() != nil {
		return false
	}
	if n.inUse() {
		_ = n.claim.Close() // it holds nothing but the name
		return false
	}
	return true
}

// inUse reports whether pods of an account have addresses of the block, or other programs listen there.
func (n *network) inUse() bool {
	if slices.ContainsFunc(listeners(), func(l listener) bool { return n.owns(l.at.Addr().String()) }) {
		return true
	}
	pods, err := process.With(addressVariable)
	return err != nil || slices.ContainsFunc(pods, func(p process.Marked) bool { return n.owns(p.Env[addressVariable]) })
}

// release gives the block back.
func (n *network) release() error {
	if n.claim == nil {
		return nil
	}
	return n.claim.Close()
}

// blockOf returns the x of 127.x.0.0/16, 0 for other addresses.
func blockOf(ip string) int {
	parts := strings.Split(ip, ".")
	if len(parts) != 4 || parts[0] != "127" {
		return 0
	}
	second, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return second
}

// take claims the block for as long as this process lives: an abstract socket of one name can be opened once and
// vanishes with its process.
func (n *network) take() error {
	name := fmt.Sprintf("@sluice-local-127.%d", n.Second)
	l, err := net.Listen("unix", name)
	if errors.Is(err, unix.EADDRINUSE) {
		return sluice.Errorf(sluice.Exhausted, "%s uses the addresses 127.%d.0.0/16, and so do pods of this account",
			claimant(name), n.Second).
			WithHint("end the pods of this account with: sluice local down")
	}
	n.claim = l
	return err
}

// claimant says which account, or which other program, holds the socket of a block.
func claimant(name string) string {
	conn, err := net.Dial("unix", name)
	if err != nil {
		return "another program"
	}
	defer conn.Close()
	pid, err := peer(conn.(*net.UnixConn))
	if err != nil {
		return "another program"
	}
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if _, dir, ok := strings.Cut(string(args), "\x00--dir\x00"); err == nil && ok {
		return "the local account in " + strings.TrimRight(dir, "\x00")
	}
	return processName(strconv.Itoa(int(pid)))
}

func (n *network) owns(ip string) bool { return blockOf(ip) == n.Second }

// present translates an address of a block that the account had before.
func (n *network) present(ip string) string {
	if !slices.Contains(n.Former, blockOf(ip)) {
		return ip
	}
	parts := strings.Split(ip, ".")
	parts[1] = strconv.Itoa(n.Second)
	return strings.Join(parts, ".")
}

// spare is an address that neither Services nor pods get.
func (n *network) spare() string { return fmt.Sprintf("127.%d.0.255", n.Second) }

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
