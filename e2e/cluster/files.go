package cluster

import (
	"encoding/json"
	"fmt"
	"os"
)

const pauseImage = "docker.io/sluice-e2e/pause:1"

// writeFiles writes all files that the parts read, replacing old ones.
func (s spec) writeFiles() error {
	for _, dir := range []string{"log", "volumes", "cni"} {
		if err := os.MkdirAll(s.file(dir), 0o755); err != nil {
			return err
		}
	}
	if err := s.writeCertificates(); err != nil {
		return err
	}
	if err := s.writeAdmin(); err != nil {
		return err
	}
	texts := map[string]string{
		"containerd.toml": s.containerdConfig(),
		"Corefile": fmt.Sprintf(".:53 {\n\terrors\n\tready 127.0.0.1:8181\n\tcache 5\n"+
			"\tkubernetes %s in-addr.arpa {\n\t\tkubeconfig %s\n\t\tpods insecure\n\t\tttl 5\n\t}\n}\n", domain, s.admin()),
		"resolv.conf": "nameserver " + s.Address + "\n",
	}
	for name, text := range texts {
		if err := os.WriteFile(s.file(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	documents := map[string]any{"kubelet.json": s.kubeletConfig(), "kube-proxy.json": s.proxyConfig(),
		"cni/sluice.conflist": s.podNetwork()}
	for name, document := range documents {
		data, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.file(name), data, 0o644); err != nil {
			return err
		}
	}
	return s.write()
}

func (s spec) writeCertificates() error {
	a, err := newAuthority(s.file("pki"))
	if err != nil {
		return err
	}
	service := "kubernetes.default.svc"
	if err := a.server("apiserver", s.Address, "127.0.0.1", s.serviceAddress(), "localhost", "kubernetes",
		"kubernetes.default", service, service+"."+domain); err != nil {
		return err
	}
	if err := a.client("admin", "admin", "system:masters"); err != nil {
		return err
	}
	if err := a.client("front-proxy", "front-proxy", ""); err != nil {
		return err
	}
	return a.client("accounts", "service accounts", "")
}

func (s spec) containerdConfig() string {
	return fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"

[grpc]
  address = %q

[plugins."io.containerd.grpc.v1.cri"]
  # A machine without CAP_SYS_RESOURCE cannot protect processes any better than itself.
  restrict_oom_score_adj = true
  sandbox_image = %q

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = %q

[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "runc"
`, s.file("containerd"), containerdSocket, pauseImage, s.file("cni"))
}

type document = map[string]any

func (s spec) podNetwork() document {
	return document{
		"cniVersion": "0.4.0",
		"name":       "sluice",
		"plugins": []document{
			{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
				"ipam": document{
					"type":   "host-local",
					"ranges": [][]document{{{"subnet": s.Pods}}},
					"routes": []document{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": document{"portMappings": true}},
		},
	}
}

func (s spec) kubeletConfig() document {
	return document{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"authentication":           document{"anonymous": document{"enabled": true}, "webhook": document{"enabled": false}},
		"authorization":            document{"mode": "AlwaysAllow"},
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/" + s.cgroup(),
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"enforceNodeAllocatable":   []string{},
		"clusterDomain":            domain,
		"clusterDNS":               []string{s.Address},
		"resolvConf":               s.file("resolv.conf"),
		"maxPods":                  200,
		// Other work of the machine must not evict the tests' pods.
		"evictionHard": document{"memory.available": "50Mi", "nodefs.available": "1%",
			"nodefs.inodesFree": "1%", "imagefs.available": "1%"},
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		// Containers that crash on purpose should not slow the tests.
		"crashLoopBackOff": document{"maxContainerRestartPeriod": "10s"},
		"featureGates":     document{"KubeletCrashLoopBackOffMax": true},
	}
}

func (s spec) proxyConfig() document {
	return document{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "iptables",
		"clusterCIDR":        s.Pods,
		"hostnameOverride":   s.Name,
		"clientConnection":   document{"kubeconfig": s.admin()},
		"conntrack":          document{"maxPerCore": 0},
		"iptables":           document{"minSyncPeriod": "0s"},
		"metricsBindAddress": "127.0.0.1:10249",
	}
}
