// Package server offers the use cases to callers elsewhere. It checks what each caller may do, records that in the
// audit, and calls internal/service and the engine. The API and the pages call it and nothing below it. Start at
// server.go.
package server
