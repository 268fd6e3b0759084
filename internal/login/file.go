package login

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gofrs/flock"
	"golang.org/x/oauth2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/regular"
)

// maxFile bounds files with credentials; lookAgain is how often a lock is tried that another process holds.
const (
	maxFile   = 1 << 20
	lookAgain = 20 * time.Millisecond
)

// DefaultFile returns where logins of this user are kept.
func DefaultFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "this user has no directory for configuration: %w", err).
			WithHint("set HOME or XDG_CONFIG_HOME")
	}
	return filepath.Join(dir, "sluice", "credentials.json"), nil
}

// A kept is a login as the file has it.
type kept struct {
	Issuer       string    `json:"issuer"`
	ClientID     string    `json:"clientId"`
	Scopes       []string  `json:"scopes,omitempty"`
	IDToken      string    `json:"idToken"`
	Expires      time.Time `json:"expires"` // of IDToken
	RefreshToken string    `json:"refreshToken,omitempty"`
}

// Logout forgets the login to the server. To forget an absent one succeeds.
func (c *Credentials) Logout(ctx context.Context, server string) error {
	server, err := origin(server)
	if err != nil {
		return err
	}
	return c.change(ctx, func(logins map[string]kept) { delete(logins, server) })
}

// ofLogin returns the ID token of the login to the server, renewed if it expires soon. Without a login it is NotFound.
func (c *Credentials) ofLogin(ctx context.Context, server string) (string, error) {
	logins, err := c.read()
	if err != nil {
		return "", err
	}
	k, ok := logins[server]
	if !ok {
		return "", sluice.Errorf(sluice.NotFound, "nobody is logged in to %s", server)
	}
	if c.isFresh(k) {
		return k.IDToken, nil
	}
	return c.renew(ctx, server)
}

func (c *Credentials) isFresh(k kept) bool { return c.Now().Add(margin).Before(k.Expires) }

// renew gets a new ID token, unless another process did so meanwhile: many issuers take a refresh token once.
func (c *Credentials) renew(ctx context.Context, server string) (string, error) {
	unlock, err := c.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	logins, err := c.read()
	if err != nil {
		return "", err
	}
	k := logins[server]
	if c.isFresh(k) {
		return k.IDToken, nil
	}
	if k.RefreshToken == "" {
		return "", sluice.Errorf(sluice.Unauthenticated, "the login to %s has ended", server).
			WithHint("log in again with: sluice login %s", server)
	}
	c.Learn(k.RefreshToken)
	ctx = oidc.ClientContext(ctx, c.client())
	flow, err := c.flow(ctx, k.Issuer, k.ClientID)
	if err != nil {
		return "", err
	}
	answer, err := flow.TokenSource(ctx, &oauth2.Token{RefreshToken: k.RefreshToken}).Token()
	if err != nil {
		return "", refusal(k.Issuer, server, err)
	}
	if k, err = c.accept(answer, k); err != nil {
		return "", err
	}
	logins[server] = k
	return k.IDToken, c.write(logins)
}

// read returns the logins by server. A file that others may read is Denied.
func (c *Credentials) read() (map[string]kept, error) {
	logins := map[string]kept{}
	info, err := os.Stat(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return logins, nil
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, sluice.Errorf(sluice.Denied, "other users may read the logins in %s", c.File).
			WithHint("type: chmod 600 %s", c.File)
	}
	data, err := regular.File(c.File, maxFile)
	if err != nil {
		return nil, sluice.Errorf(sluice.Denied, "the logins cannot be read: %w", err)
	}
	if json.Unmarshal(data, &logins) != nil { // its error would quote the file
		return nil, sluice.Errorf(sluice.Invalid, "the file %s does not hold logins", c.File).
			WithHint("delete it, and log in again")
	}
	return logins, nil
}

// change changes the logins in the file.
func (c *Credentials) change(ctx context.Context, f func(map[string]kept)) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	logins, err := c.read()
	if err != nil {
		return err
	}
	f(logins)
	return c.write(logins)
}

// lock keeps other processes from changing the file.
func (c *Credentials) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(c.File), 0o700); err != nil {
		return nil, sluice.Errorf(sluice.Denied, "the directory of the logins cannot be made: %w", err)
	}
	l := flock.New(c.File+".lock", flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lookAgain); err != nil {
		if ctx.Err() != nil {
			return nil, sluice.Errorf(sluice.Cancelled, "another process uses %s", c.File)
		}
		return nil, sluice.Errorf(sluice.Denied, "the logins cannot be locked: %w", err)
	}
	return func() { _ = l.Unlock() }, nil // closing the file ends the lock anyhow
}

// write replaces the file, so that no process ever reads half of it.
func (c *Credentials) write(logins map[string]kept) error {
	data, err := json.MarshalIndent(logins, "", "  ")
	if err != nil {
		return sluice.Errorf(sluice.Internal, "write logins: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(c.File), ".credentials-*") // with mode 0600
	if err != nil {
		return sluice.Errorf(sluice.Denied, "the logins cannot be kept: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(append(data, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), c.File)
	}
	if err != nil {
		return sluice.Errorf(sluice.Denied, "the logins cannot be kept: %w", err)
	}
	return nil
}
