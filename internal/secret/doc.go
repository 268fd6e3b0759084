// Package secret protects secret values: it derives keys from the key of a state directory, seals values that are
// recorded, makes the secrets in callback URLs, reads the values that sluice.yaml names, and redacts all of them in
// what leaves the process. It imports the root, internal/config and internal/manifest. Start at [Key], which
// internal/keyfile keeps in a file, and at [Redactor].
package secret
