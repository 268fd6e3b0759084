package mongodb

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluice-cd/sluice"
)

// The codes of answers that are not about the command itself.
var (
	// Unauthorized, AuthenticationFailed, RoleNotFound, AtlasError
	denials = []int{13, 18, 31, 8000}
	// host away, cursor gone, stepping down
	interruption = []int{6, 7, 43, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436, 237, 262}
)

// lastError matches what the driver knows of a server that it could not select.
var lastError = regexp.MustCompile(`Last error: (.*?)(?: }|$)`)

// wrap turns the driver's error into a sluice.Error; op is verb and object.
func (d *database) wrap(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := d.classify(ctx, err)
	wrapped.Op = op
	return wrapped
}

func (d *database) classify(ctx context.Context, err error) *sluice.Error {
	var own *sluice.Error
	if errors.As(err, &own) {
		return own
	}
	if cause := ctx.Err(); cause != nil {
		return sluice.Errorf(sluice.Cancelled, "stopped before the database at %s was read: %w", d.address, cause)
	}
	if errors.Is(err, errDocument) {
		return sluice.Errorf(sluice.Failed, "the database at %s returned data that is not BSON", d.address).
			WithHint("run validate on its collections")
	}
	command, answered := answerIn(err)
	if answered && slices.Contains(denials, int(command.Code)) || strings.Contains(err.Error(), "auth error") {
		return sluice.Errorf(sluice.Denied, "the database at %s refuses the login, or reading %s", d.address, d.db.Name()).
			WithHint("check user, password and authSource in the dataset's uri, and that the user has the role read")
	}
	if answered && !slices.Contains(interruption, int(command.Code)) {
		return sluice.Errorf(sluice.Failed, "the database at %s answered: %s", d.address, command.Message)
	}
	return sluice.Errorf(sluice.Unavailable, "the database at %s does not answer: %s", d.address, reason(err)).
		WithHint("check that it runs and listens at %s, or correct the dataset's uri", d.address)
}

// answerIn returns the server's answer. The driver also makes one of a connection that broke.
func answerIn(err error) (mongo.CommandError, bool) {
	command, ok := errors.AsType[mongo.CommandError](err)
	return command, ok && !mongo.IsNetworkError(err)
}

// reason returns the error without the driver's description of the topology.
func reason(err error) string {
	if match := lastError.FindStringSubmatch(err.Error()); match != nil {
		return strings.TrimSuffix(match[1], ",")
	}
	text, _, _ := strings.Cut(err.Error(), ", current topology:")
	return text
}
