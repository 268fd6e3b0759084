// Package faulttest runs the built sluice where something is wrong: with the input, with ports, disks, databases,
// metric providers and programs. It contains only tests and may start anything. Start reading at world_test.go.
package faulttest
