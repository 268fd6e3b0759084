package access

// A Discovery is what a server tells everybody about how to prove who they are. It holds nothing secret.
type Discovery struct {
	Issuer   string   `json:"issuer,omitempty"`   // of people's tokens; "": people cannot log in
	ClientID string   `json:"clientId,omitempty"` // the audience of people's tokens
	Scopes   []string `json:"scopes,omitempty"`   // to ask the issuer for besides openid
	// Audience is what a program asks its own issuer to put into its token; "": programs need a token of the server.
	Audience string `json:"audience,omitempty"`
}
