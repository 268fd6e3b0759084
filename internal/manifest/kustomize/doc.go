// Package kustomize renders kustomize directories without ever leaving the directory it is given: no remote bases or
// resources, no plugins, no Helm, no programs. It imports the root package's YAML reader and the kustomize library;
// start at [Render].
package kustomize
