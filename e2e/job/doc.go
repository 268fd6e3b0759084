// Package job tests what Sluice does beside the data of a real cluster: Jobs of its own image copy and fill volumes, and
// are called through the API server or call Sluice.
package job
