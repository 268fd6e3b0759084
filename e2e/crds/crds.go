// Package crds pins the modules whose custom resource definitions the tests
// install; it is never built. Their files are read from the module cache, where
// go mod download in this directory puts them; trafficsplit.yaml lies here.
package crds

import (
	_ "istio.io/api/networking/v1"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
