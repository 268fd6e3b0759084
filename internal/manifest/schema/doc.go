// Package schema checks a manifest against the types that Kubernetes publishes, and against the rules for names,
// quantities and selectors with which an API server refuses an object. It needs no cluster. Of a custom resource it
// checks the metadata. It imports the root package, internal/manifest/yamldoc and the rules in k8s.io/apimachinery.
// Start at [Check].
package schema
