// Package seeddemo delivers the demo that Sluice began with through both
// clusters, its files unchanged: production's data is migrated to staging, the
// new version is tested there, then goes to production step by step.
//
// The files are read from corpus/seed-demo in the directory that SLUICE_SHARED
// names, by default shared beside the repository; without them there is
// nothing to do. What the demo was surrounded by is played by the packages
// below this one:
//
//	stork      the storage of both clusters and its migrations, with ways to fail
//	cmdhook    the receiver of webhooks that runs kubectl, in each cluster
//	dispatch   the repository that runs the integration tests
//	metrics    what Prometheus joins, and Prometheus itself is examples/monitor
//	admission  lets pods use images that are in no registry
//	app        the images: the shop, its database and its exporter
//
// Start with setup.go.
package seeddemo
