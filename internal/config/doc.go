// Package config reads sluice.yaml, which says what this machine or server offers to deploy files: accounts, metric
// providers, secrets, the checkpoint repository, how webhooks may be called, and who may call a server. A deploy file
// only uses these names. It imports the root, internal/access, internal/manifest/yamldoc and a YAML parser. Start at
// [Load] and [Config].
package config
