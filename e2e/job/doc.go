// Package job tests what Sluice does beside the data of a real cluster: Jobs of its own image copy and fill volumes.
// Sluice calls them through the API server, or they connect to Sluice.
package job
