// Package secret keeps what must not be read: it holds the key of a state directory, seals values that have to
// be recorded, makes the secrets in callback URLs, and looks up the values that sluice.yaml names. It imports
// the root and internal/config. Start at [OpenKey].
package secret
