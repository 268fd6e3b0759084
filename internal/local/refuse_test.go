package local_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local"
)

func TestUnsupportedIsNamed(t *testing.T) {
	t.Parallel()
	a := open(t)
	deployment := webDeployment("web", "1", "1", "")
	container := "\n        "
	pod := "\n      "
	for name, tt := range map[string]struct {
		manifest string
		code     sluice.Code
		names    string
	}{
		"another kind": {"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}", sluice.Unsupported, "DaemonSet"},
		"another version": {"apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: d}", sluice.Unsupported,
			"apps/v1beta1"},
		"a probe of an init container": {deployment + pod + "initContainers: [{name: i, image: 'web:1', " +
			"readinessProbe: {exec: {command: [x]}}}]", sluice.Invalid, "init container i"},
		"an image of an init container": {deployment + pod + "initContainers: [{name: i, image: 'x:1'}]",
			sluice.Unsupported, "x:1"},
		"shared processes": {deployment + pod + "shareProcessNamespace: true", sluice.Unsupported,
			"spec.template.spec.shareProcessNamespace"},
		"a host path": {deployment + pod + "volumes: [{name: h, hostPath: {path: /etc}}]", sluice.Unsupported,
			"spec.template.spec.volumes[0].hostPath of Deployment"},
		"privileges": {deployment + container + "securityContext: {privileged: true}", sluice.Unsupported,
			"spec.template.spec.containers[0].securityContext.privileged"},
		"capabilities": {deployment + container + "securityContext: {capabilities: {add: [NET_ADMIN]}}",
			sluice.Unsupported, "securityContext.capabilities.add"},
		"a UDP port": {strings.Replace(webService, "port: 8080", "port: 8080, protocol: UDP", 1), sluice.Unsupported,
			"spec.ports[0].protocol"},
		"an external name": {"apiVersion: v1\nkind: Service\nmetadata: {name: e}\nspec: {type: ExternalName, " +
			"externalName: example.com}", sluice.Unsupported, "spec.externalName"},
		"finalizers": {strings.Replace(webService, "name: web}", "name: web, finalizers: [x/y]}", 1),
			sluice.Unsupported, "metadata.finalizers of Service"},
		"a hook after the start": {deployment + container + "lifecycle: {postStart: {exec: {command: [x]}}}",
			sluice.Unsupported, "spec.template.spec.containers[0].lifecycle.postStart of Deployment"},
		"indexed Jobs":      {job(`"0"`, "\n  completionMode: Indexed"), sluice.Unsupported, "spec.completionMode"},
		"a misspelt field":  {strings.Replace(deployment, "replicas:", "replica:", 1), sluice.Invalid, "spec.replica"},
		"a wrong type":      {strings.Replace(deployment, "replicas: 1", "replicas: one", 1), sluice.Invalid, "replicas"},
		"a wrong selector":  {strings.Replace(deployment, "of: web}}", "of: other}}", 1), sluice.Invalid, "spec.selector"},
		"a missing volume":  {deployment + container + "volumeMounts: [{name: v, mountPath: /v}]", sluice.Invalid, `"v"`},
		"an unmapped image": {strings.Replace(deployment, "web:1", "shop:3", 1), sluice.Unsupported, "shop:3"},
	} {
		for _, dryRun := range []bool{true, false} {
			_, _, err := a.Apply(a.ctx, objects(t, tt.manifest)[0], dryRun)
			if sluice.ErrorCode(err) != tt.code || !strings.Contains(err.Error(), tt.names) || sluice.ErrorHint(err) == "" &&
				tt.code == sluice.Unsupported {
				t.Errorf("%s: %v (hint %q), want %s that names %s", name, err, sluice.ErrorHint(err), tt.code, tt.names)
			}
		}
	}
	_, _, err := a.Apply(a.ctx, objects(t, strings.Replace(deployment, "web:1", "shop:3", 1))[0], false)
	if hint := sluice.ErrorHint(err); !strings.Contains(hint, "sluice.yaml") || !strings.Contains(hint, `"shop:3":`) {
		t.Errorf("the hint of an unmapped image does not show what to write: %s", hint)
	}
}

// TestHarmlessFields applies what is common in manifests and changes nothing on one machine.
func TestHarmlessFields(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webDeployment("web", "1", "1", "") + `
        imagePullPolicy: IfNotPresent
        resources: {requests: {cpu: 100m}, limits: {memory: 1Gi}}
        securityContext:
          {runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false,
           capabilities: {drop: [ALL]}}
      nodeSelector: {disk: ssd}
      tolerations: [{operator: Exists}]
      serviceAccountName: web
      securityContext: {runAsNonRoot: true, fsGroup: 1000}
      affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}`)
	a.awaitSettled("Deployment/web")
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService)
	address, err := a.Address(a.ctx, "test", "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	taken := strings.Replace(webService, "port: 8080}", "port: 8080}, {name: taken, port: "+port+"}", 1)
	for _, dryRun := range []bool{true, false} {
		_, _, err = a.Apply(a.ctx, objects(t, taken)[0], dryRun)
		holder := fmt.Sprintf("process %d", os.Getpid())
		if sluice.ErrorCode(err) != sluice.Exhausted || !strings.Contains(err.Error(), l.Addr().String()) ||
			!strings.Contains(err.Error(), holder) {
			t.Errorf("Apply with a taken port: %v, want Exhausted that names %s and %s", err, l.Addr(), holder)
		}
	}
	if _, err := a.Address(a.ctx, "test", "web", 8080); err != nil {
		t.Errorf("the Service lost its port: %v", err)
	}
	if _, err := a.Address(a.ctx, "test", "web", 1); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("Address of an unknown port: %v", err)
	}
}

// TestDown ends everything, keeps what was applied, and is not undone by a client that goes on asking.
func TestDown(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "2", ""))
	a.awaitSettled("Deployment/web")
	id, err := os.ReadFile(filepath.Join(a.dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	agent := a.agentProcess()
	for range 2 {
		if err := a.Down(a.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if left := marked(t, "SLUICE_ACCOUNT="+string(id)); len(left) > 0 || agent.Alive() {
		t.Errorf("processes are left: %v, agent %v", left, agent.Alive())
	}
	if _, err := a.Pods(a.ctx, ""); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("Pods after Down: %v, want Unavailable", err)
	}
	a.dial()
	a.awaitSettled("Deployment/web")
	a.fetch("web", "/")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "account") // too long for a socket's path
	a, err := local.Dial(t.Context(), local.Config{Dir: dir, Executable: exe})
	if err != nil {
		t.Fatal(err)
	}
	// Killed, the agent comes back only to end what is left.
	if err := a.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory is left")
	}
	if _, err := a.Pods(t.Context(), ""); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("Pods after Remove: %v, want Unavailable", err)
	}
}

// TestDownAfterAgentDied ends what a killed agent left, without running anything again.
func TestDownAfterAgentDied(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "2", ""))
	a.awaitSettled("Deployment/web")
	a.killAgent()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := local.Open(local.Config{Dir: a.dir, Executable: exe})
	if err := again.Down(a.ctx); err != nil {
		t.Fatal(err)
	}
	id, err := os.ReadFile(filepath.Join(a.dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	if left := marked(t, "SLUICE_ACCOUNT="+string(id)); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	started, ended := 0, 0
	for _, l := range a.ledger() {
		switch l["event"] {
		case "started":
			started++
		case "ended":
			ended++
		}
	}
	if started != 2 || ended != 2 {
		t.Errorf("%d pods were started and %d ended, want 2 and 2", started, ended)
	}
}
