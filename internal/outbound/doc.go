// Package outbound holds the rules for HTTP calls to servers that are not Sluice's own: webhooks, metric providers and
// files on the web. It says which redirects are followed, which certificates are trusted, which addresses are this
// machine, and what an error means for the person who reads it. It imports the root package and internal/regular.
// Start at [Redirects].
package outbound
