package faulttest

import (
	"strings"
	"testing"
)

const claim = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}`

const databaseService = `apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  selector: {app: db}
  ports: [{port: 27017}]`

// database is a workload that has a volume and never listens.
const database = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: db
          image: full
          env: [{name: DATA, value: /data}]
          readinessProbe: {exec: {command: [test, -s, /data/content]}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]`

func dataset(uri string) string {
	return `
datasets:
  orders: {engine: mongodb, workload: StatefulSet/db, claims: [data], database: {uri: "` + uri + `"}}`
}

// TestDatabaseRefuses: what does not listen is tried again, told once, and given up with its address.
func TestDatabaseRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		address string
		says    string
	}{
		"nothing listens": {"db:27017", "the database at db:27017 does not answer"},
		"another port":    {"db:27018", "db:27018"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "retryFor: 3s\nsecrets: {password: {env: DB_PASSWORD}}\n")
			const password = "s3same-open"
			w.env = append(w.env, "DB_PASSWORD="+password)
			data := dataset("mongodb://shop:{{secrets.password}}@" + test.address + "/shop?serverSelectionTimeoutMS=300")
			objects := join(claim, databaseService, database)
			w.mustDeploy(deployFile("", data, join(first, objects)))
			before := w.things()
			changed := strings.Replace(first, "first}", "first}, data: {a: b}", 1)
			out := w.deploy(deployFile("constraints: {beforeDeployment: [{checkpointData: {dataset: orders}}]}", data,
				join(changed, objects)))
			w.says(out, 1, test.says, "hint: ", "ended: failed")
			w.unchanged(before, 1)
			if n := strings.Count(out.stdout, "tries again until"); n != 1 {
				t.Errorf("the outage is told %d times: %s", n, out)
			}
			if strings.Contains(out.String(), password) {
				t.Errorf("the password is told: %s", out)
			}
			w.hides(password)
			w.says(w.sluice("data", "list"), 0, "there are no checkpoints")
		})
	}
}
