// Package manifest reads the objects that users write, sets their namespaces, orders them, seals secrets, compares
// objects and says whether an object is ready. It needs no cluster. It imports the root package, a YAML parser and a
// differ; the packages below it know the schema of Kubernetes and kustomize. Start at [Load] and [Status].
package manifest
