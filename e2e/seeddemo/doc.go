// Package seeddemo delivers the original demo, with unchanged files, to both
// clusters: production's data is migrated to staging, the new version is tested
// there, then production gets it step by step.
//
// The files are read from corpus/seed-demo in the directory that SLUICE_SHARED
// names, by default shared beside the repository; without them there is
// nothing to do. The packages below this one simulate the surroundings of the
// demo:
//
//	stork      the storage of both clusters and its migrations, with ways to fail
//	cmdhook    the receiver of webhooks that runs kubectl, in each cluster
//	dispatch   the repository that runs the integration tests
//	metrics    the metrics that queries join; Prometheus itself is examples/monitor
//	admission  lets pods use images that are in no registry
//	app        the images: the shop, its database and its exporter
//
// Start with setup.go.
package seeddemo
