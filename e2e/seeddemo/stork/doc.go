// Package stork simulates the migration controller of Stork and Portworx: its
// resources, its stages and statuses in the order and at the pace of the real
// one, and what it does to volumes and claims. An annotation of the ClusterPair
// chooses how a migration ends, see Mode.
//
// Every wait of the real controller is a number of ticks here, so that a test
// may run it faster. It does not simulate rules, schedules and transformations,
// and of the objects of a namespace it moves only claims and their volumes.
//
// It needs the volumes of both clusters as directories of one machine. It may
// import client-go. Start with controller.go.
package stork
