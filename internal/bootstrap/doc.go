// Package bootstrap turns a configuration and a state directory into open adapters and a running engine. Besides
// cmd/sluice it is the only package that may import several adapters. Start at [Open] for how a command reaches the
// engine, and at [Wiring] for how adapters are tied together.
package bootstrap
