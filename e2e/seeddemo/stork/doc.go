// Package stork simulates the migration controller of Stork and Portworx: its
// resources, its stages and statuses in the order and at the pace of the real
// one, and what it does to volumes and claims. How a migration shall end is
// chosen by an annotation of its ClusterPair, see Mode.
//
// Every wait of the real controller is a number of ticks here, so that a test
// may run it faster. What differs: rules, schedules and transformations are not
// played, and of the objects of a namespace only claims and their volumes move.
//
// It needs the volumes of both clusters as directories of one machine. It may
// import client-go. Start with controller.go.
package stork
