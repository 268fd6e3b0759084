package sluice

import (
	"context"
	"time"
)

// A Server is what a database says of the server that it is on.
type Server struct {
	Version string `json:"version"`
	// Format is the version of its data files, such as MongoDB's featureCompatibilityVersion; "" if it is not known.
	Format string `json:"format,omitempty"`
	// Others are the databases of users on the same server that the URI does not name, as far as the login sees them.
	Others []string `json:"others,omitempty"`
}

// A Describer is a Database that can describe its server.
type Describer interface {
	// Describe reads no data, so it returns at once. What the login may not see is left out.
	Describe(ctx context.Context) (Server, error)
}

// A Locker is a Database whose server can block all writes, so that its files can be copied as they are. It has one
// lock at a time. Closing the Database ends it.
type Locker interface {
	// Lockable returns the error that Lock would return at once, and blocks nothing: Conflict if writes are blocked
	// already, Unsupported if the server cannot block them, Denied if the login may not.
	Lockable(ctx context.Context) error
	// Lock returns once the server blocks writes. The lock ends lease after the call, at the latest, while the process
	// lives that holds it; it is held beside the data if the Database is read there. A process that replaces a killed one
	// ends the lock before anything else. After an error there is no lock.
	Lock(ctx context.Context, lease time.Duration) error
	// Unlock ends the lock. It is an error if the lock may have ended before, because what was copied meanwhile may be
	// torn: Failed if its lease was over or if somebody else ended it, Unavailable if the process that held it is gone. A
	// Database that has not locked ends one lock of any holder: call it only for a lock that a killed process left.
	// It succeeds if there is none.
	Unlock(ctx context.Context) error
}
