package world

import (
	"os"
	"strings"
)

// Grant creates the ServiceAccount sluice in the namespace, with the rights of the named files of deploy/.
func (w *World) Grant(features ...string) {
	w.Helper()
	w.Put("{apiVersion: v1, kind: ServiceAccount, metadata: {name: sluice}}")
	w.GrantTo(w.Namespace, features...)
}

// GrantTo gives the rights of the named files of deploy/ in the namespace to the ServiceAccount sluice of another one.
func (w *World) GrantTo(namespace string, features ...string) {
	w.Helper()
	for _, feature := range features {
		data, err := os.ReadFile(Repository("deploy", feature+".yaml"))
		w.try(err)
		w.Put(strings.ReplaceAll(string(data), "namespace: sluice", "namespace: "+namespace))
	}
}
