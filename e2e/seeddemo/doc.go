// Package seeddemo delivers a shop and its database to both clusters, as the
// demo that Sluice descends from did: production's data is migrated to staging,
// the new version is tested there, then production gets it step by step.
//
// The directory files has a deploy file of that shape, and one in which
// migrateData moves the data instead of webhooks. The original demo is
// delivered too, with unchanged files, if corpus/seed-demo is in the directory
// that SLUICE_SHARED names, by default shared beside the repository. The
// packages below this one simulate the surroundings of both:
//
//	stork      the storage of both clusters and its migrations, with ways to fail
//	cmdhook    the receiver of webhooks that runs kubectl, in each cluster
//	dispatch   the repository that runs the integration tests
//	metrics    the metrics that queries join; Prometheus itself is examples/monitor
//	admission  lets pods use images that are in no registry
//	app        the images: the shop, its database and its exporter
//
// Start with demo.go and setup.go.
package seeddemo
