package remote

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/docker/docker/api/types/registry"
)

// Clouds give passwords that are tokens of a few hours. Azure's and GitLab's are
// JSON Web Tokens, Amazon's is JSON in base64; both tell when they expire.
// Google's tells nothing, and lasts an hour.

// googleUser is the user name that Google's short-lived tokens go with, and
// googleLife how long they last.
const (
	googleUser = "oauth2accesstoken"
	googleLife = time.Hour
)

// expiry is when credentials that were given a moment ago expire: the first of
// their tokens. It is zero where nothing tells.
func expiry(a registry.AuthConfig, now time.Time) time.Time {
	password := a.Password
	if password == "" && a.Auth != "" {
		if text, err := base64.StdEncoding.DecodeString(a.Auth); err == nil {
			_, password, _ = strings.Cut(string(text), ":")
		}
	}
	var first time.Time
	for _, token := range []string{password, a.IdentityToken, a.RegistryToken} {
		if t := tokenExpiry(token); !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if first.IsZero() && a.Username == googleUser {
		return now.Add(googleLife)
	}
	return first
}

// tokenExpiry reads a token as far as it tells when it expires.
func tokenExpiry(token string) time.Time {
	claims := token
	decode := base64.StdEncoding.DecodeString
	if parts := strings.Split(token, "."); len(parts) == 3 {
		claims, decode = strings.TrimRight(parts[1], "="), base64.RawURLEncoding.DecodeString
	}
	text, err := decode(claims)
	if err != nil {
		return time.Time{}
	}
	var says struct {
		Exp        float64 `json:"exp"`
		Expiration float64 `json:"expiration"`
	}
	if json.Unmarshal(text, &says) != nil {
		return time.Time{}
	}
	at := max(says.Exp, says.Expiration)
	if at < 1 || at > 253402300799 { // the year 9999
		return time.Time{}
	}
	return time.Unix(int64(at), 0).UTC()
}
