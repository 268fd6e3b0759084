// Package httpapi lets other processes talk to the engine that runs here. [Server] is the control API over a
// unix socket in the state directory, [Client] is its other end, and [Callbacks] receives what webhooks answer.
// Errors cross the wire by one table and arrive as they were. It imports the root and internal/engine.
//
// Start at server.go.
package httpapi
