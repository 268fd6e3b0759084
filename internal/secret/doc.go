// Package secret protects secret values: it derives keys from the key of a state directory, seals values that are
// recorded, makes the secrets in callback URLs, and reads the values that sluice.yaml names. It imports the root and
// internal/config. Start at [Key]; internal/keyfile keeps it in a file.
package secret
