// Package mask turns values into others of the same type that tell nothing about them. It is pure: the same value,
// rule and key give the same mask everywhere, so what was equal stays equal and joins survive. It imports the standard
// library alone. Start at [Rules] and [Masker].
package mask
