package emulator

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// App is a service principal of Entra ID.
type App struct {
	ID     string
	Secret string
	// Expired is set where the secret was good once.
	Expired bool
	// Actions and NotActions are what its roles have, as
	// "Microsoft.Compute/virtualMachines/*"; without Actions it may do all.
	Actions, NotActions []string
	// Certificate is the PEM of one whose key may sign in instead.
	Certificate []byte
}

// tokenLife is how long an access token is good for.
const tokenLife = time.Hour

// entra answers what is Entra ID's, and reports whether it was.
func (e *Emulator) entra(w http.ResponseWriter, r *http.Request) bool {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	rest := joined(parts[1:])
	if strings.EqualFold(parts[0], "common") && rest == "discovery/instance" {
		writeJSON(w, http.StatusOK, object{
			"tenant_discovery_endpoint": e.opts.URL + "/" + e.opts.Tenant + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": []any{},
		})
		return true
	}
	if rest != "v2.0/.well-known/openid-configuration" && rest != "oauth2/v2.0/token" {
		return false
	}
	var err *entraError
	switch {
	case !strings.EqualFold(parts[0], e.opts.Tenant):
		err = &entraError{http.StatusBadRequest, "invalid_tenant", 90002, fmt.Sprintf("Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", parts[0])}
	case rest == "oauth2/v2.0/token":
		var body object
		if body, err = e.token(r); err == nil {
			writeJSON(w, http.StatusOK, body)
		}
	default:
		base := e.opts.URL + "/" + e.opts.Tenant
		writeJSON(w, http.StatusOK, object{
			"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
			"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode", "jwks_uri": base + "/discovery/v2.0/keys",
		})
	}
	if err != nil {
		err.write(w)
	}
	return true
}

// An entraError is one as Entra ID's token endpoint answers it.
type entraError struct {
	status  int
	name    string
	code    int
	message string
}

func (f *entraError) write(w http.ResponseWriter) {
	now, trace, correlation := time.Now().UTC(), newID(), newID()
	writeJSON(w, f.status, object{
		"error":             f.name,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", f.code, f.message, trace, correlation, now.Format("2006-01-02 15:04:05Z")),
		"error_codes":       []any{f.code}, "timestamp": now.Format("2006-01-02 15:04:05Z"), "trace_id": trace, "correlation_id": correlation,
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", f.code),
	})
}

// token answers a request for an access token, by client credentials.
func (e *Emulator) token(r *http.Request) (object, *entraError) {
	if err := r.ParseForm(); err != nil {
		return nil, &entraError{http.StatusBadRequest, "invalid_request", 900144, err.Error()}
	}
	form := r.PostForm
	if grant := form.Get("grant_type"); grant != "client_credentials" {
		return nil, &entraError{http.StatusBadRequest, "unsupported_grant_type", 70003, fmt.Sprintf("The app requested an unsupported grant type '%s'.", grant)}
	}
	if !slices.ContainsFunc(strings.Fields(form.Get("scope")), func(s string) bool { return strings.HasSuffix(s, "/.default") }) {
		return nil, &entraError{http.StatusBadRequest, "invalid_scope", 70011, fmt.Sprintf("The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", form.Get("scope"))}
	}
	id := form.Get("client_id")
	app := e.opts.app(id)
	if app == nil {
		return nil, &entraError{http.StatusBadRequest, "unauthorized_client", 700016, fmt.Sprintf("Application with identifier '%s' was not found in the directory 'Emulated'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", id)}
	}
	if err := app.prove(form.Get("client_secret"), form.Get("client_assertion")); err != nil {
		return nil, err
	}
	return object{"token_type": "Bearer", "expires_in": int(tokenLife.Seconds()), "ext_expires_in": int(tokenLife.Seconds()), "access_token": e.sign(app, audienceOf(form.Get("scope")))}, nil
}

// audienceOf is what a token of a scope is for.
func audienceOf(scope string) string {
	if slices.Contains(strings.Fields(scope), registryAudience+"/.default") {
		return registryAudience
	}
	return armAudience
}

// prove checks what an app proves itself with.
func (a *App) prove(secret, assertion string) *entraError {
	switch {
	case assertion != "":
		if err := a.checkAssertion(assertion); err != nil {
			return &entraError{http.StatusUnauthorized, "invalid_client", 700027, fmt.Sprintf("The certificate with identifier used to sign the client assertion is not registered on application. %s.", err)}
		}
	case secret == "":
		return &entraError{http.StatusUnauthorized, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case a.Secret == "" || secret != a.Secret:
		return &entraError{http.StatusUnauthorized, "invalid_client", 7000215, fmt.Sprintf("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", a.ID)}
	case a.Expired:
		return &entraError{http.StatusUnauthorized, "invalid_client", 7000222, fmt.Sprintf("The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", a.ID)}
	}
	return nil
}

// checkAssertion checks the signature of a JWT with the app's certificate.
func (a *App) checkAssertion(jwt string) error {
	block, _ := pem.Decode(a.Certificate)
	if block == nil {
		return fmt.Errorf("the app has no certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	i := strings.LastIndexByte(jwt, '.')
	if i < 0 {
		return fmt.Errorf("the assertion is no JWT")
	}
	signature, err := base64.RawURLEncoding.DecodeString(jwt[i+1:])
	if err != nil {
		return err
	}
	header, err := base64.RawURLEncoding.DecodeString(strings.SplitN(jwt, ".", 2)[0])
	if err != nil {
		return err
	}
	h, err := decode(header)
	if err != nil {
		return err
	}
	return checkSignature(cert, text(h, "alg"), []byte(jwt[:i]), signature)
}

func checkSignature(cert *x509.Certificate, alg string, signed, signature []byte) error {
	algorithm := map[string]x509.SignatureAlgorithm{"RS256": x509.SHA256WithRSA, "PS256": x509.SHA256WithRSAPSS, "ES256": x509.ECDSAWithSHA256}[alg]
	switch cert.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		return cert.CheckSignature(algorithm, signed, signature)
	}
	return fmt.Errorf("the certificate's key cannot sign assertions")
}

// claims are what a token says.
type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Tenant   string `json:"tid"`
	App      string `json:"appid"`
	Object   string `json:"oid"`
	Expires  int64  `json:"exp"`
}

// signingKey follows from the options, so that tokens outlive a restart.
func (o *Options) signingKey() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s %v", o.Tenant, o.Apps)
	return h.Sum(nil)
}

func (e *Emulator) sign(app *App, audience string) string {
	return e.jwt(claims{
		Issuer: e.opts.URL + "/" + e.opts.Tenant + "/v2.0", Audience: audience, Tenant: e.opts.Tenant,
		App: app.ID, Object: app.object(), Expires: time.Now().Add(tokenLife).Unix(),
	})
}

// jwt signs what a token says.
func (e *Emulator) jwt(says any) string {
	body, _ := json.Marshal(says) // never fails
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(body)
	return signed + "." + enc.EncodeToString(e.mac(signed))
}

// readJWT reads a token that [Emulator.jwt] made, and reports whether it was.
func (e *Emulator) readJWT(token string, says any) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, e.mac(parts[0]+"."+parts[1])) {
		return false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && json.Unmarshal(body, says) == nil
}

// object is the ID of the app's principal, which follows from its own.
func (a *App) object() string {
	sum := sha256.Sum256([]byte(a.ID))
	return guid(sum[:16])
}

func (e *Emulator) mac(signed string) []byte {
	m := hmac.New(sha256.New, e.signing)
	m.Write([]byte(signed))
	return m.Sum(nil)
}

// authenticate checks the token of a request.
func (e *Emulator) authenticate(r *http.Request) (claims, error) {
	var c claims
	refuse := func(code, message string) (claims, error) {
		f := fail(http.StatusUnauthorized, code, "%s", message)
		f.challenge = fmt.Sprintf(`Bearer authorization_uri="%s/%s", error="invalid_token", error_description="%s"`, e.opts.URL, e.opts.Tenant, message)
		return c, f
	}
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return refuse("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	switch {
	case !e.readJWT(token, &c):
		return refuse("InvalidAuthenticationToken", "The access token is invalid.")
	case c.Audience != armAudience:
		return refuse("InvalidAuthenticationTokenAudience", fmt.Sprintf("The access token has been obtained for wrong audience or resource '%s'. It should exactly match with one of the allowed audiences '%s'.", c.Audience, armAudience))
	}
	if time.Now().Unix() > c.Expires {
		return refuse("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
	}
	return c, nil
}
