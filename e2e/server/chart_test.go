package server_test

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"

	"github.com/sluice-cd/sluice/e2e/world"
)

// installChart installs three servers with the database.
func (s *servers) installChart(database string) {
	s.Helper()
	s.secret("sluice-database", map[string][]byte{"uri": []byte(database)})
	config := s.configured("postgres")
	for _, key := range []string{"listen", "key", "tls", "database"} { // the chart's
		delete(config["server"].(object), key)
	}
	name, tag, _ := strings.Cut(world.Sluice().Name, ":")
	files := s.render(object{
		"config": config, "replicas": 3, "database": object{"secretName": "sluice-database"},
		"image": object{"repository": name, "tag": tag, "pullPolicy": "Never"},
	})
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(file) == ".yaml" {
			s.Put(files[file])
		}
	}
	s.Kubectl("rollout", "status", "deployment/sluice", "--timeout=5m")
}

// render returns the files of the chart, as helm install does.
func (s *servers) render(values object) map[string]string {
	s.Helper()
	chart, err := loader.Load(world.Repository("deploy", "chart"))
	s.try(err)
	var plain object // with the types that a file of values has
	data, err := json.Marshal(values)
	s.try(err)
	s.try(json.Unmarshal(data, &plain))
	release := chartutil.ReleaseOptions{Name: "sluice", Namespace: s.Namespace, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, plain, release, nil)
	s.try(err)
	files, err := engine.Render(chart, all)
	s.try(err)
	return files
}
