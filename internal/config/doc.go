// Package config reads sluice.yaml, which says what this machine or server offers to deploy files: accounts, metric
// providers, secrets, the checkpoint repository and how webhooks may be called. A deploy file only uses these names. It
// imports the root, internal/manifest/yamldoc and a YAML parser. Start at [Load] and [Config].
package config
