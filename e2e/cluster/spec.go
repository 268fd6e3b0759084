package cluster

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// searchPath finds the Debian packages' programs for everything in a cluster.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const specFile = "spec.json"

// A spec is everything that a supervisor needs to know.
type spec struct {
	Name     string
	Dir      string // <state>/<name>
	Binaries string // <state>/bin
	Address  string // of the node, on the bridge
	Pods     string // subnet
	Services string // subnet
	Routes   []route
	Parts    []part
}

type route struct{ To, Via string }

// A part is one program of a cluster, kept running.
type part struct {
	Name  string
	Args  []string
	Probe string // an address that answers when the part is ready; "" if there is none
	Gate  bool   // later parts start only when it answers
}

// The addresses of the clusters, see the package documentation.
const (
	bridge      = "sluice0"
	linkPrefix  = "sl-"
	hostAddress = "172.29.250.1"
	linkSubnet  = "172.29.250.0/24"
	domain      = "cluster.local"
)

// Names of the clusters, and of their contexts.
const (
	first  = "cluster01"
	second = "cluster02"
	kwok   = "kwok"
)

var names = []string{first, second, kwok}

// newSpec sets the addresses of the cluster. The caller adds its parts.
func (o Options) newSpec(name string) spec {
	s := spec{Name: name, Dir: o.clusterDir(name), Binaries: o.binary("")}
	for i, other := range names {
		address := fmt.Sprintf("172.29.250.%d", 11+i)
		pods, services := fmt.Sprintf("10.%d.0.0/16", 211+2*i), fmt.Sprintf("10.%d.0.0/16", 212+2*i)
		if other == name {
			s.Address, s.Pods, s.Services = address, pods, services
			continue
		}
		s.Routes = append(s.Routes, route{pods, address}, route{services, address})
	}
	return s
}

func (o Options) clusterDir(name string) string { return filepath.Join(o.Dir, name) }

func (s spec) file(elem ...string) string {
	return filepath.Join(append([]string{s.Dir}, elem...)...)
}

func (s spec) server() string { return "https://" + s.Address + ":6443" }

// cgroup is the control group of the cluster's pods. Kubelets with the same group
// would end each other's pods, so its name also contains the state directory.
func (s spec) cgroup() string { return "sluice-" + s.Name + cgroupSuffix(filepath.Dir(s.Dir)) }

func cgroupSuffix(stateDir string) string {
	return fmt.Sprintf("-%x", sha256.Sum256([]byte(stateDir)))[:9]
}

// The name of a link has at most 15 letters.
func (s spec) link() string { return linkPrefix + s.Name }

// environment is the environment of the cluster's programs. They collect garbage
// less often than Go programs do by default, because processor time is scarce.
func (s spec) environment() []string {
	return []string{"PATH=" + searchPath, "HOME=" + s.Dir, "LANG=C.UTF-8", "GOGC=400"}
}

func (s spec) write() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.file(specFile), data, 0o600)
}
