package seeddemo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Demo is a set of files of the demo's shape: a migration, staging and production as targets, a canary with analyses
// and an approval. Its database is the StatefulSet mongo.
type Demo struct {
	// Dir is the directory of the files.
	Dir string
	// DeployFile is in Dir. Manifests is the directory of the manifests in Dir.
	DeployFile, Manifests string
	// Before are the manifests that run before the first delivery, in an older version.
	Before []string
	// Namespace is where the application runs.
	Namespace string
	// Web is the Deployment of the shop and the value of its pods' label app. Service selects these pods.
	Web, Service string
	// Claim is the claim of the database.
	Claim string
	// Database selects the pods of the database.
	Database string
	// Image is the new image of the shop, Older the one before.
	Image, Older string
	// Repository is the GitHub repository that runs the integration tests.
	Repository string
	// Migration is the name of the target that migrates.
	Migration string
}

// Own returns the demo whose files are in this package.
func Own() Demo {
	return Demo{
		Dir: filepath.Join(moduleDir(), "seeddemo", "files"), DeployFile: "deploy.yaml", Manifests: "manifests",
		Before:    []string{"namespace.yaml", "claim.yaml", "mongodb.yaml", "web.yaml"},
		Namespace: "shop", Web: "shop-web", Service: "shop-web", Claim: "orders", Database: "app=mongo",
		Image: "sluice-e2e/shop:2", Older: "sluice-e2e/shop:1", Repository: "sluice-cd/shop", Migration: "migration",
	}
}

// Moved returns our own demo with a deploy file in which a data step takes the place of the webhooks around a
// Migration.
func Moved() Demo {
	d := Own()
	d.DeployFile, d.Migration = "portworx.yaml", "staging"
	return d
}

// Original returns the demo that the shape comes from, with unchanged files. Without the files it skips the test.
func Original(t *testing.T) Demo {
	t.Helper()
	shared := os.Getenv("SLUICE_SHARED")
	if shared == "" {
		shared = filepath.Join(filepath.Dir(repository()), "shared")
	}
	dir := filepath.Join(shared, "corpus", "seed-demo")
	if _, err := os.Stat(filepath.Join(dir, "pxbbq.yaml")); err != nil {
		t.Skip("the original demo's files are not here; SLUICE_SHARED names the directory that has corpus/seed-demo")
	}
	return Demo{
		Dir: dir, DeployFile: "pxbbq.yaml", Manifests: "pxbbq-demo",
		Before:    []string{"namespace.yml", "mongodb-pvc.yaml", "mongodb.yaml", "pxbbq.yaml"},
		Namespace: "pxbbq", Web: "pxbbq-web", Service: "pxbbq-svc", Claim: "mongodb-pvc",
		Database: "app.kubernetes.io/name=mongo", Image: "eshanks16/pxbbq:v3.3.1", Older: "eshanks16/pxbbq:v3.3.0",
		Repository: "ccrow42/armory", Migration: "Migrate Prod DB To Staging",
	}
}

// Manifest returns one of the demo's manifests.
func (d Demo) Manifest(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.Dir, d.Manifests, name))
	try(t, err)
	return string(data)
}

// older returns the manifest of the release before.
func (d Demo) older(t *testing.T, name string) string {
	t.Helper()
	return strings.NewReplacer("mongo:6.0.3", "mongo:6.0.1", d.Image, d.Older).Replace(d.Manifest(t, name))
}

// Files returns the texts of the demo's files in the directory, by path.
func (d Demo) Files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{d.DeployFile, filepath.Join(d.Manifests, "*")} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		try(t, err)
		for _, path := range found {
			data, err := os.ReadFile(path)
			try(t, err)
			all[strings.TrimPrefix(path, dir)] = string(data)
		}
	}
	return all
}
