package cluster

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
)

type link struct {
	Name  string `json:"ifname"`
	Alias string `json:"ifalias"`
}

// ensureBridge makes the network between the host and the clusters. The
// bridge's alias names the state directory that it belongs to.
func (o Options) ensureBridge() error {
	existing, found, err := findLink(bridge)
	if err != nil {
		return err
	}
	if found && existing.Alias != o.Dir {
		return fmt.Errorf("the bridge %s belongs to clusters in %q: take those down, or remove it with: ip link del %s", bridge, existing.Alias, bridge)
	}
	if err := o.checkSubnets(); err != nil {
		return err
	}
	if !found {
		if err := ip("link", "add", bridge, "type", "bridge"); err != nil {
			return err
		}
		if err := ip("link", "set", bridge, "alias", o.Dir); err != nil {
			return err
		}
	}
	commands := [][]string{{"addr", "replace", hostAddress + "/24", "dev", bridge}, {"link", "set", bridge, "up"}}
	for _, name := range names {
		s := o.newSpec(name)
		commands = append(commands, []string{"route", "replace", s.Pods, "via", s.Address}, []string{"route", "replace", s.Services, "via", s.Address})
	}
	for _, c := range commands {
		if err := ip(c...); err != nil {
			return err
		}
	}
	return nil
}

// checkSubnets tells who has an address that the clusters need.
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
			continue // not an address of IPv4, so nothing that the clusters use
		}
		for _, w := range wanted {
			if taken.Overlaps(netip.MustParsePrefix(w)) {
				return fmt.Errorf("the clusters need the network %s, of which the device %s has %s: take that down first", w, r.Device, r.To)
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

// connect gives the supervisor's network namespace its way out, as eth0.
func (s spec) connect(pid int) error {
	if err := ip("link", "add", s.link(), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)); err != nil {
		return err
	}
	return ip("link", "set", s.link(), "master", bridge, "up")
}

// removeLink is harmless if there is no such link, or if it is just going: the
// kernel removes it too, some time after the last process of its namespace.
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
