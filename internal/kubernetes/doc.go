// Package kubernetes makes a Kubernetes cluster an account. It is the only importer of client-go. It imports the
// root package and decisions of level 1, and no other adapter. Start at [Open].
package kubernetes
