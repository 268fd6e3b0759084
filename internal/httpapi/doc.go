// Package httpapi lets other processes talk to the engine that runs here. [Server] takes new deployments and streams
// progress over a unix socket in the state directory, [Client] is its other end, and [Callbacks] receives what webhooks
// answer. Errors arrive as they were. It imports the root and internal/engine.
//
// Start at server.go.
package httpapi
