package databasetest

import "context"

// Binary returns the path of the example's server, for tests that run it by other means than [Start].
func Binary(ctx context.Context, example string) (string, error) { return build(ctx, example) }
