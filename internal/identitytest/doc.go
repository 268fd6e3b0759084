// Package identitytest is an OIDC issuer for tests. It signs with real keys and serves discovery, keys, the
// authorization code flow with PKCE, the device flow and refresh tokens over HTTP. Start at [New].
package identitytest
