package secret

import (
	"crypto/hmac"
	"encoding/base64"

	"github.com/sluice-cd/sluice"
)

// Callback returns the secret in the callback URL of a step: it fits this step of this deployment alone, and
// is the same every time, so it need not be recorded.
func (k *Key) Callback(id sluice.DeploymentID, step sluice.StepID) string {
	return base64.RawURLEncoding.EncodeToString(mac(k.callback, string(id), string(step)))
}

// IsCallback reports whether the secret is the step's. It takes as long for a wrong one as for a right one.
func (k *Key) IsCallback(id sluice.DeploymentID, step sluice.StepID, secret string) bool {
	return hmac.Equal([]byte(k.Callback(id, step)), []byte(secret))
}
