package cluster

import (
	"net/netip"
	"path/filepath"
)

const (
	containerdSocket = "/run/containerd/containerd.sock"
	etcdAddress      = "http://127.0.0.1:2379"
	// requestRate lifts the controllers' own limits, so that large tests measure the product.
	requestRate  = "--kube-api-qps=500"
	requestBurst = "--kube-api-burst=1000"
)

// controlPlane returns the parts that every cluster has.
func (s spec) controlPlane() []part {
	// In memory, because no data outlives the cluster.
	etcd := part{Name: "etcd", Gate: true, Probe: etcdAddress + "/health", Args: []string{
		"/usr/bin/etcd", "--data-dir=" + s.file("etcd"), "--listen-client-urls=" + etcdAddress,
		"--advertise-client-urls=" + etcdAddress,
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=default=http://127.0.0.1:2380",
		"--log-level=warn", "--quota-backend-bytes=4294967296",
	}}
	manager := s.kubernetes("kube-controller-manager", "",
		"--kubeconfig="+s.admin(), "--leader-elect=false", "--secure-port=0", "--use-service-account-credentials",
		"--service-account-private-key-file="+s.pki("accounts.key"), "--root-ca-file="+s.pki("ca.crt"),
		"--cluster-signing-cert-file="+s.pki("ca.crt"), "--cluster-signing-key-file="+s.pki("ca.key"),
		"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20", requestRate, requestBurst)
	scheduler := s.kubernetes("kube-scheduler", "",
		"--kubeconfig="+s.admin(), "--leader-elect=false", "--secure-port=0", requestRate, requestBurst)
	volumes := part{Name: "volumes",
		Args: []string{filepath.Join(s.Binaries, supervisorProgram.name), "volumes", s.admin(), s.file("volumes")}}
	return []part{etcd, s.apiServer(), manager, scheduler, volumes}
}

func (s spec) apiServer() part {
	p := s.kubernetes(apiServerPart, "https://127.0.0.1:6443/readyz",
		"--etcd-servers="+etcdAddress, "--advertise-address="+s.Address, "--secure-port=6443",
		"--service-cluster-ip-range="+s.Services, "--allow-privileged", "--authorization-mode=Node,RBAC",
		"--client-ca-file="+s.pki("ca.crt"), "--tls-cert-file="+s.pki("apiserver.crt"),
		"--tls-private-key-file="+s.pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc."+domain,
		"--service-account-key-file="+s.pki("accounts.crt"), "--service-account-signing-key-file="+s.pki("accounts.key"),
		// Watches that begin with a list need a newer etcd than Debian's. If they
		// are on, KWOK's watches are refused, and start again up to 30 s later.
		"--feature-gates=WatchList=false",
		// The API server reaches kubelet by its address, because DNS does not know its name.
		"--kubelet-preferred-address-types=InternalIP",
		// Metrics servers and the like can register themselves as parts of the API.
		"--requestheader-client-ca-file="+s.pki("ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+s.pki("front-proxy.crt"), "--proxy-client-key-file="+s.pki("front-proxy.key"))
	p.Gate = true
	return p
}

// node returns the parts that run pods and connect to them.
func (s spec) node() []part {
	containerd := part{Name: "containerd", Probe: "unix://" + containerdSocket,
		Args: []string{"/usr/bin/containerd", "--config=" + s.file("containerd.toml")}}
	kubelet := s.kubernetes(kubeletPart, "http://127.0.0.1:10248/healthz",
		"--config="+s.file("kubelet.json"), "--kubeconfig="+s.admin(), "--hostname-override="+s.Name, "--node-ip="+s.Address)
	proxy := s.kubernetes("kube-proxy", "http://127.0.0.1:10256/healthz", "--config="+s.file("kube-proxy.json"))
	dns := part{Name: "dns", Probe: "http://127.0.0.1:8181/ready",
		Args: []string{filepath.Join(s.Binaries, dnsProgram.name), "-conf", s.file("Corefile")}}
	return []part{containerd, kubelet, proxy, dns}
}

// fakeNodes returns the part that simulates nodes and their pods.
func (s spec) fakeNodes(stages []string) part {
	args := []string{filepath.Join(s.Binaries, kwokProgram.name), "--kubeconfig=" + s.admin(), "--manage-all-nodes",
		"--cidr=" + s.Pods, "--node-ip=" + s.Address, "--node-lease-duration-seconds=40", "--v=WARN"}
	for _, file := range stages {
		args = append(args, "--config="+file)
	}
	return part{Name: kwok, Args: args}
}

func (s spec) kubernetes(name, probe string, args ...string) part {
	return part{Name: name, Probe: probe,
		Args: append([]string{filepath.Join(s.Binaries, nodeProgram.name), name}, args...)}
}

func (s spec) admin() string { return s.file("admin.kubeconfig") }

func (s spec) pki(file string) string { return s.file("pki", file) }

// serviceAddress is the address of the API server's own Service.
func (s spec) serviceAddress() string {
	return netip.MustParsePrefix(s.Services).Addr().Next().String()
}
