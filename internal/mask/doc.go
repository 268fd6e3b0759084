// Package mask replaces values by others of the same type that reveal nothing about them. It is pure: the same value,
// rule and key always give the same result, so equal values stay equal and joins still work. It imports only the
// standard library. Start at [Rules] and [Masker].
package mask
