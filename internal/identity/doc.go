// Package identity proves who calls a server: by tokens of the server, OIDC tokens of people and programs, and session
// cookies of browsers. What a caller may do is decided by internal/access. It imports the root, internal/access,
// internal/config and internal/outbound. Start at [New] and [Authenticator.Caller].
package identity
