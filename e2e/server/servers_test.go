package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/e2e/world"
)

type object = map[string]any

// features are the files of deploy/ with the rights that a canary needs.
var features = []string{"observe", "logs", "apply", "rollout", "traffic"}

// servers is a namespace of the first cluster for servers, and a namespace of each cluster to which they deploy.
type servers struct {
	*world.World              // its Namespace is that of the servers
	east, west   *world.World // in the first and in the second cluster
	client       kubernetes.Interface
	address      string // by which they are reached
	authority    string // the file with the certificate to trust
}

// newServers prepares what docs/server.md says that servers need: everything but the servers themselves, and for those
// with PostgreSQL the database. The namespace allows only pods without any right of root.
func newServers(t *testing.T) *servers {
	t.Helper()
	if !world.Pair().Owned {
		t.Skip("where pods of a person's own clusters reach this machine, and this machine their Services, is not known")
	}
	s := &servers{World: world.New(t), east: world.New(t), west: world.In(t, world.Pair().Cluster02)}
	client, err := s.Cluster.Client()
	s.try(err)
	s.client = client
	_, err = client.CoreV1().Namespaces().Patch(t.Context(), s.Namespace, types.MergePatchType,
		[]byte(`{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}`), metav1.PatchOptions{})
	s.try(err)
	s.Put(s.read("deploy", "server", "base", "service.yaml")) // before the servers: their configuration has its address
	ip := s.Get("Service", "sluice").Text("spec", "clusterIP")
	s.address = "https://" + ip
	s.east.GrantTo(s.Namespace, features...)
	s.west.Grant(features...)
	s.west.Login("sluice")
	key := make([]byte, 32)
	rand.Read(key)
	s.secret("sluice", map[string][]byte{
		"key": []byte(base64.StdEncoding.EncodeToString(key) + "\n"), "west": s.file(s.west.Dir, "robot"),
		"s3-access-key": []byte("nobody"), "s3-secret-key": []byte("asks for checkpoints"),
	})
	s.secret("sluice-tls", s.certificate(ip))
	for _, account := range []string{"administrator", "deployer", "stranger"} {
		s.Put("{apiVersion: v1, kind: ServiceAccount, metadata: {name: " + account + "}}")
	}
	return s
}

func (s *servers) try(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// read returns a file of the repository.
func (s *servers) read(path ...string) string {
	s.Helper()
	return string(s.file(world.Repository(path...)))
}

func (s *servers) file(path ...string) []byte {
	s.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	s.try(err)
	return data
}

func (s *servers) secret(name string, data map[string][]byte) {
	s.Helper()
	_, err := s.client.CoreV1().Secrets(s.Namespace).Create(s.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{})
	s.try(err)
}

// certificate makes one for the address, and the file that trusts it.
func (s *servers) certificate(ip string) map[string][]byte {
	s.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.try(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(ip)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	s.try(err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	s.try(err)
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.authority = filepath.Join(s.Dir, "ca.pem")
	s.try(os.WriteFile(s.authority, public, 0o600))
	return map[string][]byte{
		"tls.crt": public, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// configured returns the sluice.yaml of the manifests with the accounts, the address and the roles of the test, as
// somebody would edit it. Nobody has an issuer here but the cluster itself.
func (s *servers) configured(variant string) object {
	s.Helper()
	config := object{}
	s.try(yaml.Unmarshal([]byte(s.read("deploy", "server", variant, "sluice.yaml")), &config))
	config["accounts"] = object{
		"east": config["accounts"].(object)["here"],
		"west": object{"type": "kubernetes", "kubeconfig": "/run/secrets/sluice/west"},
	}
	server := config["server"].(object)
	delete(server, "identity")
	maps.Copy(server, object{"address": s.address, "roles": object{
		"administrator": s.role("administrator", "view", "administer"),
		"deployer":      s.role("deployer", "view", "deploy", "approve"),
	}})
	return config
}

// role is the role of a ServiceAccount.
func (s *servers) role(account string, verbs ...string) object {
	subject := "system:serviceaccount:" + s.Namespace + ":" + account
	return object{
		"members": []object{{"workload": "cluster", "claims": object{"sub": subject}}},
		"grants":  []object{{"verbs": verbs}},
	}
}

func (s *servers) marshal(value any) []byte {
	s.Helper()
	data, err := yaml.Marshal(value)
	s.try(err)
	return data
}

// copied copies the directory deploy beside the deploy file, with the namespace of the servers, and returns it.
func (s *servers) copied() string {
	s.Helper()
	to := filepath.Join(s.Dir, "deploy")
	s.try(os.CopyFS(to, os.DirFS(world.Repository("deploy", "server"))))
	s.try(filepath.WalkDir(to, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, tag, _ := strings.Cut(world.Sluice().Name, ":")
		data = bytes.ReplaceAll(data, []byte("namespace: sluice\n"), []byte("namespace: "+s.Namespace+"\n"))
		data = bytes.ReplaceAll(data, []byte("newTag: v0.1.0"), []byte("newName: "+name+", newTag: \""+tag+"\""))
		return os.WriteFile(path, data, 0o600)
	}))
	return to
}

// pods returns the names of the servers' pods that are not being deleted.
func (s *servers) pods() (names []string) {
	s.Helper()
	for _, p := range s.List("Pod", "app.kubernetes.io/name=sluice") {
		if p.Text("metadata", "deletionTimestamp") == "" {
			names = append(names, p.Text("metadata", "name"))
		}
	}
	return names
}

// log returns what the pod of a server has logged, "" if it is gone.
func (s *servers) log(pod string) string {
	out, _ := s.client.CoreV1().Pods(s.Namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(s.Context())
	return string(out)
}

// told logs at the end of a failed test what the servers have logged.
func (s *servers) told() {
	s.Cleanup(func() {
		if !s.Failed() {
			return
		}
		list, err := s.client.CoreV1().Pods(s.Namespace).List(background, metav1.ListOptions{})
		if err != nil {
			s.Error(err)
			return
		}
		for _, p := range list.Items {
			out, _ := s.client.CoreV1().Pods(s.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{}).DoRaw(background)
			s.Logf("%s says:\n%s", p.Name, out)
		}
	})
}
