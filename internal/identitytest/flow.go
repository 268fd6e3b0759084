package identitytest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
)

// authorize sends the person back with a code at once, as an issuer does whose own session goes on.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("state") == "" ||
		q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" {
		http.Error(w, "the request is wrong", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	back := url.Values{"state": {q.Get("state")}}
	if i.person == nil {
		back.Set("error", "access_denied")
	} else {
		id := rand.Text()
		i.codes[id] = code{q.Get("code_challenge"), q.Get("redirect_uri"), q.Get("nonce")}
		back.Set("code", id)
	}
	redirect.RawQuery = back.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// token answers the last request of each flow.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if why := i.client(r); why != "" {
		refuse(w, r, http.StatusUnauthorized, why)
		return
	}
	claims := maps.Clone(i.person)
	var why string
	switch r.FormValue("grant_type") {
	case "authorization_code":
		var nonce string
		if nonce, why = i.redeem(r); why == "" && nonce != "" && claims["nonce"] == nil {
			claims["nonce"] = nonce
		}
	case "urn:ietf:params:oauth:grant-type:device_code":
		why = i.redeemDevice(r.FormValue("device_code"))
	case "refresh_token":
		if why = "invalid_grant"; i.fresh[r.FormValue("refresh_token")] {
			delete(i.fresh, r.FormValue("refresh_token"))
			why = ""
		}
	default:
		why = "unsupported_grant_type"
	}
	if why != "" {
		refuse(w, r, http.StatusBadRequest, why)
		return
	}
	refresh := rand.Text()
	i.fresh[refresh] = true
	answer(w, http.StatusOK, map[string]any{
		"access_token": rand.Text(), "token_type": "Bearer", "expires_in": int(i.life.Seconds()),
		"refresh_token": refresh, "id_token": i.sign(i.claims(claims)),
	})
}

// refuse repeats everything that it was sent, as some issuers do.
func refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	answer(w, status, map[string]string{
		"error": why, "error_description": fmt.Sprint(r.Form, r.Header),
		"error_uri": "https://example.com/?" + r.Form.Encode(),
	})
}

// client returns why the client of the request is not the one that the issuer knows.
func (i *Issuer) client(r *http.Request) string {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if id != ClientID || secret != i.ClientSecret || secret != "" && basic == i.SecretInForm {
		return "invalid_client"
	}
	return ""
}

// redeem takes a code, once, from who can show what its challenge was made of.
func (i *Issuer) redeem(r *http.Request) (nonce, why string) {
	c, ok := i.codes[r.FormValue("code")]
	delete(i.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || c.redirect != r.FormValue("redirect_uri") || c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return "", "invalid_grant"
	}
	return c.nonce, ""
}

func (i *Issuer) redeemDevice(id string) (why string) {
	approved, ok := i.device[id]
	switch {
	case !ok:
		return "expired_token"
	case !approved:
		return "authorization_pending"
	case i.person == nil:
		return "access_denied"
	}
	delete(i.device, id)
	return ""
}

func (i *Issuer) deviceCode(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.FormValue("client_id") != ClientID {
		refuse(w, r, http.StatusUnauthorized, "invalid_client")
		return
	}
	id := rand.Text()
	i.device[id] = false
	answer(w, http.StatusOK, map[string]any{
		"device_code": id, "user_code": "ABCD-EFGH", "verification_uri": i.ActivateURL,
		"verification_uri_complete": i.ActivateURL + "?user_code=ABCD-EFGH", "expires_in": 600, "interval": 1,
	})
}

// Approve lets everybody in who waits with a device code, or refuses them if nobody logs in.
func (i *Issuer) Approve() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id := range i.device {
		i.device[id] = true
	}
}

// Revoke forgets all refresh tokens.
func (i *Issuer) Revoke() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.fresh)
}
