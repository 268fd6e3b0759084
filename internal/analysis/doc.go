// Package analysis turns answers of metric providers into samples, and samples into a judgment. It is pure: it
// reads no clock and asks nobody. It imports the root package only. Start reading at [Judge].
package analysis
