package secret

import (
	"crypto/hmac"
	"encoding/base64"

	"github.com/sluice-cd/sluice"
)

// Callback returns the secret in the callback URL of a step. It is valid only for this step of this deployment. It is
// always the same, so it need not be recorded.
func (k *Key) Callback(id sluice.DeploymentID, step sluice.StepID) string {
	token := k.url(string(id), string(step))
	k.redactor.Learn(token)
	return token
}

// IsCallback reports whether the secret is the step's. A wrong secret takes as long as a right one.
func (k *Key) IsCallback(id sluice.DeploymentID, step sluice.StepID, secret string) bool {
	return hmac.Equal([]byte(k.url(string(id), string(step))), []byte(secret))
}

// Preview returns the secret in the URL of a preview; shown says what the preview shows and until when. It is always
// the same.
func (k *Key) Preview(shown string) string { return k.url("preview", shown) }

// IsPreview reports whether the secret is the preview's. A wrong secret takes as long as a right one.
func (k *Key) IsPreview(shown, secret string) bool {
	return hmac.Equal([]byte(k.Preview(shown)), []byte(secret))
}

func (k *Key) url(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(mac(k.callback, parts...))
}
