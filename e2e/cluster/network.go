package cluster

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
)

type link struct {
	Name  string `json:"ifname"`
	Alias string `json:"ifalias"`
}

// ensureBridge creates the network between the host and the clusters. The alias
// of the bridge names its state directory. A bridge whose clusters were killed,
// so that nobody removed it, is taken over.
func (o Options) ensureBridge() error {
	owner, err := bridgeOwner()
	if err != nil {
		return err
	}
	if owner != "" && owner != o.Dir {
		if err := o.takeOver(owner); err != nil {
			return err
		}
		owner = ""
	}
	if err := o.checkSubnets(); err != nil {
		return err
	}
	if owner == "" {
		if err := o.addBridge(); err != nil {
			return err
		}
	}
	commands := [][]string{{"addr", "replace", hostAddress + "/24", "dev", bridge}, {"link", "set", bridge, "up"}}
	for _, name := range names {
		s := o.newSpec(name)
		commands = append(commands, []string{"route", "replace", s.Pods, "via", s.Address},
			[]string{"route", "replace", s.Services, "via", s.Address})
	}
	for _, c := range commands {
		if err := ip(c...); err != nil {
			return err
		}
	}
	return nil
}

// nobody owns a bridge whose creator died before it set the alias.
const nobody = "nobody"

// bridgeOwner returns the state directory of the bridge, "" if there is no bridge.
func bridgeOwner() (string, error) {
	l, found, err := findLink(bridge)
	if err != nil || !found {
		return "", err
	}
	return cmp.Or(l.Alias, nobody), nil
}

// takeOver removes a bridge to which no cluster is connected any more. The
// kernel removes a cluster's link with its last process.
func (o Options) takeOver(owner string) error {
	for _, name := range names {
		link := o.newSpec(name).link()
		if _, alive, err := findLink(link); err != nil || alive {
			return errors.Join(err, fmt.Errorf("%s already runs with the state directory %q: stop it there first", name, owner))
		}
	}
	fmt.Fprintf(o.Log, "removing the network of clusters that have ended; their state was in %s\n", owner)
	return removeLink(bridge)
}

func (o Options) addBridge() error {
	if err := ip("link", "add", bridge, "type", "bridge"); err != nil {
		return err
	}
	return ip("link", "set", bridge, "alias", o.Dir)
}

// checkSubnets returns an error that says who uses an address that the clusters need.
func (o Options) checkSubnets() error {
	var routes []struct {
		To     string `json:"dst"`
		Device string `json:"dev"`
	}
	if err := ipJSON(&routes, "route", "show"); err != nil {
		return err
	}
	wanted := []string{linkSubnet}
	for _, name := range names {
		s := o.newSpec(name)
		wanted = append(wanted, s.Pods, s.Services)
	}
	for _, r := range routes {
		if r.Device == bridge || r.To == "default" {
			continue
		}
		taken, err := parsePrefix(r.To)
		if err != nil {
			continue // not an IPv4 address, so the clusters do not use it
		}
		for _, w := range wanted {
			if taken.Overlaps(netip.MustParsePrefix(w)) {
				return fmt.Errorf("the clusters need the network %s, but the device %s uses %s: remove it first", w,
					r.Device, r.To)
			}
		}
	}
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(s); err == nil {
		return address.Prefix(address.BitLen())
	}
	return netip.ParsePrefix(s)
}

// connect connects the supervisor's network namespace to the bridge, as eth0.
func (s spec) connect(pid int) error {
	if err := ip("link", "add", s.link(), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)); err != nil {
		return err
	}
	return ip("link", "set", s.link(), "master", bridge, "up")
}

// disconnect does not touch a link of that name that belongs to a cluster of another state directory.
func (s spec) disconnect() error {
	owner, err := bridgeOwner()
	if err != nil || owner != filepath.Dir(s.Dir) {
		return err
	}
	return removeLink(s.link())
}

// removeLink does nothing if there is no such link, or if the kernel is just
// removing it, some time after the last process of its namespace.
func removeLink(name string) error {
	if _, found, err := findLink(name); err != nil || !found {
		return err
	}
	failure := ip("link", "del", name)
	if _, found, err := findLink(name); err != nil || !found {
		return err
	}
	return failure
}

func findLink(name string) (link, bool, error) {
	var links []link
	if err := ipJSON(&links, "link", "show"); err != nil {
		return link{}, false, err
	}
	for _, l := range links {
		if l.Name == name {
			return l, true, nil
		}
	}
	return link{}, false, nil
}

func ipJSON(into any, args ...string) error {
	cmd := exec.Command("ip", append([]string{"-json"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("ip %v: %w", args, err)
	}
	if len(out) == 0 {
		return nil
	}
	return json.Unmarshal(out, into)
}
