package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sluice-cd/sluice"
)

// A Prompt says what a person has to do to log in.
type Prompt struct {
	URL     string // where to type the code
	Code    string
	WithURL string // URL with the code in it; "" if the issuer has none
	Expires time.Time
}

// Login lets a person log in to the server: show tells what to do, then Login waits until the issuer knows who it is,
// refuses, or the code expires. The login is kept in the file and replaces an earlier one to the same server.
func (c *Credentials) Login(ctx context.Context, server string, show func(Prompt)) error {
	server, err := origin(server)
	if err != nil {
		return err
	}
	d, err := c.discover(ctx, server)
	if err != nil {
		return err
	}
	ctx = oidc.ClientContext(ctx, c.client())
	flow, err := c.flow(ctx, d.Issuer, d.ClientID)
	if err != nil {
		return err
	}
	flow.Scopes = append(flow.Scopes, d.Scopes...)
	device, err := flow.DeviceAuth(ctx)
	if err != nil {
		return refusal(d.Issuer, server, err)
	}
	c.Learn(device.DeviceCode)
	if u, err := url.Parse(device.VerificationURI); err != nil || !isSafe(u) {
		return sluice.Errorf(sluice.Denied, "the issuer %s wants the code at %.200q, which is not an https address", d.Issuer,
			device.VerificationURI).WithHint("do not type it there; ask who runs the server")
	}
	show(Prompt{device.VerificationURI, device.UserCode, device.VerificationURIComplete, device.Expiry})
	answer, err := flow.DeviceAccessToken(ctx, device)
	if err != nil {
		return refusal(d.Issuer, server, err)
	}
	k, err := c.accept(answer, kept{Issuer: d.Issuer, ClientID: d.ClientID, Scopes: flow.Scopes})
	if err != nil {
		return err
	}
	return c.change(ctx, func(logins map[string]kept) { logins[server] = k })
}

// flow asks the issuer where people log in.
func (c *Credentials) flow(ctx context.Context, issuer, client string) (*oauth2.Config, error) {
	if u, err := url.Parse(issuer); err != nil || !isSafe(u) {
		return nil, sluice.Errorf(sluice.Denied, "the issuer %.200q has no TLS, so anybody could pretend to be it", issuer).
			WithHint("ask who runs the server for an issuer with https")
	}
	p, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, away("the issuer "+issuer, err)
	}
	var document struct {
		Scopes []string `json:"scopes_supported"`
	}
	f := &oauth2.Config{ClientID: client, Endpoint: p.Endpoint(), Scopes: []string{oidc.ScopeOpenID}}
	f.Endpoint.AuthStyle = oauth2.AuthStyleInParams // there is no secret
	if p.Claims(&document) == nil && slices.Contains(document.Scopes, oidc.ScopeOfflineAccess) {
		f.Scopes = append(f.Scopes, oidc.ScopeOfflineAccess)
	}
	for _, endpoint := range []string{f.Endpoint.TokenURL, f.Endpoint.DeviceAuthURL} {
		if u, err := url.Parse(endpoint); endpoint != "" && (err != nil || !isSafe(u)) {
			return nil, sluice.Errorf(sluice.Denied, "the issuer %s has an address without TLS: %.200q", issuer, endpoint).
				WithHint("ask who runs the issuer")
		}
	}
	if f.Endpoint.DeviceAuthURL == "" {
		return nil, sluice.Errorf(sluice.Unsupported, "the issuer %s has no device flow", issuer).
			WithHint("enable it there for the client %s, or use a token in %s", client, envToken)
	}
	return f, nil
}

// accept returns the login with what the issuer answered.
func (c *Credentials) accept(answer *oauth2.Token, k kept) (kept, error) {
	k.IDToken, _ = answer.Extra("id_token").(string)
	if k.IDToken == "" {
		return k, sluice.Errorf(sluice.Unauthenticated, "the issuer %s sent no ID token", k.Issuer).
			WithHint("let its client %s have the scope openid", k.ClientID)
	}
	k.Expires = expiry(k.IDToken)
	if answer.RefreshToken != "" {
		k.RefreshToken = answer.RefreshToken
	}
	for _, secret := range []string{k.IDToken, k.RefreshToken, answer.AccessToken} {
		c.Learn(secret)
	}
	return k, nil
}

// expiry returns when a token expires, by its own account: the server verifies it.
func expiry(token string) time.Time {
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if body, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(body, &claims) // a token that says nothing has expired
		}
	}
	return time.Unix(claims.Expires, 0)
}

// refusal explains why a flow failed. What the issuer answered is not repeated: it may hold what it was sent.
func refusal(issuer, server string, err error) error {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return sluice.Errorf(sluice.Cancelled, "the login was cancelled")
	case errors.Is(err, context.DeadlineExceeded) || ok && e.ErrorCode == "expired_token":
		return sluice.Errorf(sluice.Unauthenticated, "nobody typed the code in time").
			WithHint("log in again with: sluice login %s", server)
	case !ok:
		return away("the issuer "+issuer, err)
	case e.ErrorCode == "invalid_client" || e.ErrorCode == "unauthorized_client":
		return sluice.Errorf(sluice.Unsupported, "the issuer %s does not let this client use the device flow", issuer).
			WithHint("register a client without a secret there, and name it in cliClientId of the server's sluice.yaml")
	case e.ErrorCode == "":
		return sluice.Errorf(sluice.Unavailable, "the issuer %s answers %s", issuer, e.Response.Status).
			WithHint("try again later")
	}
	return sluice.Errorf(sluice.Unauthenticated, "the issuer %s refuses the login: %.100q", issuer, e.ErrorCode).
		WithHint("log in again with: sluice login %s", server)
}
