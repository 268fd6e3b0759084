// Package api is the HTTP API of a server, under /api/v1, and its client. [New] returns the handler: huma checks what
// arrives and describes the API in OpenAPI, internal/server does the work. [Client] is the other end: it reads a server
// as a [sluice.Store]. Errors arrive as they were. Start at api.go.
package api
