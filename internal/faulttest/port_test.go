package faulttest

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// second is the second number of the account's addresses.
func (w *world) second() int {
	w.t.Helper()
	var network struct{ Second int }
	data, err := os.ReadFile(filepath.Join(w.state, "local", "local", "network.json"))
	if err == nil {
		err = json.Unmarshal(data, &network)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return network.Second
}

// take listens in another process's place.
func take(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

const first = "{apiVersion: v1, kind: ConfigMap, metadata: {name: first}}"

// TestServicePortTaken: the address that the Service would have is taken.
func TestServicePortTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.mustDeploy(deployFile("", "", first))
	before := w.things()
	address := fmt.Sprintf("127.%d.0.1:8080", w.second())
	take(t, address)
	config := "{apiVersion: v1, kind: ConfigMap, metadata: {name: first}, data: {release: two}}"
	out := w.deploy(deployFile("", "", join(config, service, deployment("web", "web", "1", probe))))
	w.says(out, 2, "Service/web cannot listen on "+address, "taken by", fmt.Sprint("process ", os.Getpid()),
		"hint: end the program that listens there")
	w.unchanged(before, 0)
}

// TestPodPortTaken: the port is taken on the addresses that the pods get.
func TestPodPortTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.mustDeploy(deployFile("", "", join(first, service, deployment("web", "web", "1", probe))))
	before := w.things()
	for i := 2; i < 30; i++ { // the first is the address of the pod that runs
		take(t, fmt.Sprintf("127.%d.128.%d:8080", w.second(), i))
	}
	out := w.deploy(deployFile("", "", join(first, service, deployment("web", "web", "2", probe))))
	w.says(out, 1, "Deployment/web cannot become ready", "pod web-",
		fmt.Sprintf("container web cannot listen on 127.%d.128.", w.second()), ":8080: the port is taken by",
		fmt.Sprint("process ", os.Getpid()), "hint:")
	w.unchanged(before, 1)
}
