// Package crds pins the modules whose custom resource definitions the tests
// install; it is never built. The tests read their files from the module cache,
// after go mod download in this directory. trafficsplit.yaml is in this directory.
package crds

import (
	_ "istio.io/api/networking/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
