// Package analysis turns answers of metric providers into samples, and samples into a judgment. It is pure. It imports
// only the root package. Start reading at [Judge].
package analysis
