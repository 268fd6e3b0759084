package secret

import (
	"crypto/hmac"
	"encoding/base64"
)

// Preview returns the secret in the URL of a preview, which says what is shown and until when. It is the same every
// time.
func (k *Key) Preview(shown string) string {
	return base64.RawURLEncoding.EncodeToString(mac(k.callback, "preview", shown))
}

// IsPreview reports whether the secret is that of the preview. It takes as long for a wrong one as for a right one.
func (k *Key) IsPreview(shown, secret string) bool {
	return hmac.Equal([]byte(k.Preview(shown)), []byte(secret))
}
