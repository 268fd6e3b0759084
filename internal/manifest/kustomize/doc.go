// Package kustomize renders kustomize directories. It reads nothing outside the given directory and runs nothing: no
// remote bases or resources, no plugins, no Helm. It imports internal/manifest/yamldoc and the kustomize library. Start
// at [Render].
package kustomize
