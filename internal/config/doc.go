// Package config reads sluice.yaml: what this machine or server offers to deploy files. It names accounts,
// metric providers, secrets, the checkpoint repository and how webhooks may be called; a deploy file only uses
// these names. It imports the root and a YAML decoder. Start at [Load] and [Config].
package config
