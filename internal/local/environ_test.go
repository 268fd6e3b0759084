package local_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const configured = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {COLOUR: blue, SIZE: "5", motd: "hello $(USER)\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: "s3cret"}
---
apiVersion: v1
kind: Service
metadata: {name: my-db}
spec: {selector: {app: db}, ports: [{name: mongo, port: 27017}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {note: hi, prometheus.io/scrape: "true", prometheus.io/port: "8080", prometheus.io/path: /m}
    spec:
      volumes:
      - {name: config, configMap: {name: settings, items: [{key: motd, path: sub/motd.txt}]}}
      - {name: keys, secret: {secretName: keys}}
      - {name: scratch, emptyDir: {}}
      containers:
      - name: web
        image: web:1
        args:
          [--data=/var/data/x, "$(COLOUR)", "$$(COLOUR)", "$(MISSING)", /var/database,
           "file:///var/data", "http://h/var/data"]
        readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: absent, optional: true}, prefix: X_}]
        env:
        - {name: URI, value: "mongodb://$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT)/shop"}
        - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
        - {name: BOTH, value: "$(COLOUR)-$(SIZE)"}
        - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
        - {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
        - {name: WHERE, value: /var/data/file}
        volumeMounts:
        - {name: config, mountPath: /etc/config}
        - {name: keys, mountPath: /etc/keys}
        - {name: scratch, mountPath: /var/data}`

func TestEnvironment(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(configured)
	a.awaitSettled("Deployment/web")
	home := a.home()
	db, err := a.Address(a.ctx, "test", "my-db", 27017)
	if err != nil {
		t.Fatal(err)
	}
	podIP := a.fetch("web", "/env?name=POD_IP")
	for name, want := range map[string]string{
		"COLOUR": "blue", "TOKEN": "s3cret", "BOTH": "blue-5", "APP": "web", "NOTE": "hi", "ADDRESS": podIP,
		"URI":   "mongodb://" + db + "/shop",
		"WHERE": home + "/var/data/file", "POD_DIR": home, "MY_DB_PORT_27017_TCP_PROTO": "tcp",
		"MY_DB_SERVICE_PORT_MONGO": "27017", "HOSTNAME": a.ledger()[0]["name"].(string),
	} {
		if got := a.fetch("web", "/env?name="+name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	want := `["--data=` + home + `/var/data/x" "blue" "$(COLOUR)" "$(MISSING)" "/var/database" "file://` + home +
		`/var/data" "http://h/var/data"]`
	if got := a.fetch("web", "/args"); got != want {
		t.Errorf("arguments are\n%s, want\n%s", got, want)
	}
	if got := a.fetch("web", "/file?path="+url.QueryEscape(home+"/etc/config/sub/motd.txt")); got != "hello $(USER)\n" {
		t.Errorf("the mounted ConfigMap holds %q", got)
	}
	info, err := os.Stat(home + "/etc/keys/token")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mounted Secret: %v, %v", info, err)
	}
}

func TestExec(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(configured)
	a.awaitSettled("Deployment/web")
	pod := a.ledger()[0]["name"].(string)
	out, err := a.Exec(a.ctx, "test", pod, []string{"sh", "-c", "cat /etc/keys/token; echo $COLOUR >&2; pwd"})
	if want := "s3cretblue\n" + a.home() + "\n"; out != want || err != nil {
		t.Errorf("Exec: %q, %v, want %q", out, err, want)
	}
	if _, err := a.Exec(a.ctx, "test", pod, []string{"sh", "-c", "echo no; exit 3"}); err == nil ||
		!strings.Contains(err.Error(), "status 3: no") {
		t.Errorf("Exec of a failing command: %v", err)
	}
	if _, err := a.Exec(a.ctx, "test", "other", []string{"true"}); err == nil {
		t.Error("Exec in a pod that is not there succeeds")
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(configured)
	a.awaitSettled("Deployment/web")
	var groups []struct {
		Targets []string
		Labels  map[string]string
	}
	read := func() {
		b, err := os.ReadFile(filepath.Join(a.dir, "targets.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &groups); err != nil {
			t.Fatal(err)
		}
	}
	read()
	pod := a.ledger()[0]["name"].(string)
	if len(groups) != 1 || groups[0].Targets[0] != a.fetch("web", "/env?name=POD_IP")+":8080" {
		t.Fatalf("targets are %v", groups)
	}
	l := groups[0].Labels
	if l["pod"] != pod || l["namespace"] != "test" || l["app"] != "web" || l["__metrics_path__"] != "/m" ||
		!strings.HasPrefix(pod, l["replica_set_name"]+"-") || l["pod_template_hash"] == "" {
		t.Errorf("labels are %v", l)
	}
	if err := a.Delete(a.ctx, ref(t, "Deployment/web")); err != nil {
		t.Fatal(err)
	}
	if read(); len(groups) != 0 {
		t.Errorf("targets after Delete are %v", groups)
	}
}
