package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// namespaceFlags are the Linux namespaces that each cluster has.
const namespaceFlags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS |
	syscall.CLONE_NEWIPC

// hiddenDirs are paths fixed in kubelet, containerd and the network plugins:
// each cluster has its own directory mounted there.
var hiddenDirs = []string{"/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers"}

// enterNamespaces makes the supervisor's mounts, name and network its own.
func (s spec) enterNamespaces() error {
	if err := syscall.Sethostname([]byte(s.Name)); err != nil {
		return fmt.Errorf("name the host: %w", err)
	}
	if err := s.mountAll(); err != nil {
		return err
	}
	return s.configureNetwork()
}

func (s spec) mountAll() error {
	// The host must not see the mounts of this process.
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", 0); err != nil {
		return err
	}
	if err := mount("tmpfs", "/run", "tmpfs", 0); err != nil {
		return err
	}
	for _, dir := range hiddenDirs {
		own := filepath.Join(s.Dir, "root", dir)
		if err := os.MkdirAll(own, 0o755); err != nil {
			return err
		}
		if err := mount(own, dir, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	// Kubelet needs mounts for a pod to reach its containers.
	return mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED)
}

func mount(source, target, kind string, flags uintptr) error {
	if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

func (s spec) configureNetwork() error {
	commands := [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", s.Address + "/24", "dev", "eth0"},
		{"link", "set", "eth0", "up"},
		{"route", "add", "default", "via", hostAddress},
	}
	for _, r := range s.Routes {
		commands = append(commands, []string{"route", "add", r.To, "via", r.Via})
	}
	for _, c := range commands {
		if err := ip(c...); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	// If a Service's pod is on the same bridge as its client, its answers must be translated back.
	err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0o644)
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

func ip(args ...string) error {
	cmd := exec.Command("ip", args...)
	cmd.Env = append(os.Environ(), "PATH="+searchPath)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
