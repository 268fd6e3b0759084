package world

import (
	"os"
	"path/filepath"
	"strings"
)

// Grant creates the ServiceAccount sluice in the namespace, with the rights of the named files of deploy/.
func (w *World) Grant(features ...string) {
	w.Helper()
	w.Put("{apiVersion: v1, kind: ServiceAccount, metadata: {name: sluice}}")
	for _, feature := range features {
		data, err := os.ReadFile(filepath.Join(repository(), "deploy", feature+".yaml"))
		w.try(err)
		w.Put(strings.ReplaceAll(string(data), "namespace: sluice", "namespace: "+w.Namespace))
	}
}
