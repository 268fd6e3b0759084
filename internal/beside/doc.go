// Package beside runs work beside the data of a cluster. The work is a Job of Sluice's own image, which mounts volumes
// and reaches the databases of its namespace. Sluice calls it by HTTP/2 on one connection, which both sides encrypt and
// authenticate with keys of their own. The Job holds only its own key: no credentials of Sluice, of the repository or
// of the cluster.
//
// Sluice drives. When the connection breaks, the Job ends what it does and waits for the next one; if none comes, the
// Job ends. Keys and names derive from the work, so another process of Sluice finds the Job and continues.
//
// Start reading at [Bench.Open] for Sluice's side, at [Serve] for the Job's, and at [Call] and [Handle] for what they
// say to each other. The package knows contracts only, and no cluster.
package beside
