package azure

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// registryHost is what the registries of Azure are called, in each of its clouds.
var registryHost = pattern.Of(`^[a-z0-9-]+\.azurecr\.(io|cn|us)$`)

// IsRegistry reports whether a host is an Azure Container Registry by its name.
func IsRegistry(host string) bool { return registryHost().MatchString(host) }

// Registry gives out logins to Azure Container Registries, to the login that an
// azure() has. It is a [resource.Issuer].
type Registry struct{ Config Config }

var _ resource.Issuer = Registry{}

const (
	// registryUser is the user of a login that was exchanged for one of Entra's.
	registryUser = "00000000-0000-0000-0000-000000000000"
	// registryScope is what a token is asked for that registries take, also those
	// that take none of Resource Manager's.
	registryScope = "https://containerregistry.azure.net/.default"
)

// Issue implements [resource.Issuer]: a token of Entra's is exchanged for the
// registry's own, which holds for about three hours.
func (r Registry) Issue(ctx context.Context, l *resource.Login) (username, password string, err error) {
	a, err := newAccount(r.Config, nil, nil) // nothing is asked of Resource Manager
	if err != nil {
		return "", "", err
	}
	client, err := registryClient(l)
	if err != nil {
		return "", "", err
	}
	defer client.CloseIdleConnections()
	token, err := a.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{registryScope}})
	if err != nil {
		return "", "", explain(err)
	}
	form := url.Values{"grant_type": {"access_token"}, "service": {l.Host}, "access_token": {token.Token}}
	if a.tenant != "" {
		form.Set("tenant", a.tenant)
	}
	password, err = exchange(ctx, client, l.Host, form)
	var refused *registryError
	if errors.As(err, &refused) {
		refused.login = a.credential()
	}
	return registryUser, password, err
}

// registryClient checks the certificate of a registry, always: it is sent a login
// of Azure.
func registryClient(l *resource.Login) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if l.CA != "" {
		pool, ok := authorities([]byte(l.CA))
		if !ok {
			return nil, errors.New("ca holds no certificate in PEM format")
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if at, err := url.Parse(os.Getenv(EndpointVariable)); err == nil && at.Host != "" && IsRegistry(l.Host) {
		return elsewhere(at.Host, t, l.CA == "")
	}
	return &http.Client{Transport: t}, nil
}

// elsewhere finds the registries of another Azure than Microsoft's: they are where
// it is itself.
func elsewhere(addr string, t *http.Transport, itsCA bool) (*http.Client, error) {
	if file := os.Getenv(CAVariable); file != "" && itsCA {
		c, err := trusting(file)
		if err != nil {
			return nil, err
		}
		t = c.Transport.(*http.Transport)
	}
	t.Proxy = nil
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return &http.Client{Transport: t}, nil
}

// exchange asks a registry for its token. What it refuses for a while is asked
// again, as the SDK does.
func exchange(ctx context.Context, client *http.Client, host string, form url.Values) (string, error) {
	req, err := runtime.NewRequest(ctx, http.MethodPost, "https://"+host+"/oauth2/exchange")
	if err != nil {
		return "", err
	}
	if err := req.SetBody(streaming.NopCloser(strings.NewReader(form.Encode())), "application/x-www-form-urlencoded"); err != nil {
		return "", err
	}
	resp, err := runtime.NewPipeline("swarmscript", "1", runtime.PipelineOptions{}, &policy.ClientOptions{Transport: client}).Do(req)
	if err != nil {
		return "", noRegistry(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", noRegistry(err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", refusedExchange(resp.StatusCode, body)
	}
	var got struct {
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &got) != nil || got.RefreshToken == "" {
		return "", fmt.Errorf("%w: it gives no token for a login of Azure: it is no Azure Container Registry", resource.ErrRefused)
	}
	return got.RefreshToken, nil
}

// noRegistry tells a registry that there is not from one that does not answer.
func noRegistry(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Errorf("%w: there is no such registry: its name is not known (%s)", resource.ErrRefused, dns.Err)
	}
	return fmt.Errorf("%w: %w", resource.ErrUnreachable, err)
}

// registryError is what a registry says of a login of Azure that it does not take.
type registryError struct {
	status int
	login  string // the name of the credential
	said   string
}

func (e *registryError) Error() string {
	todo := "have it given the role AcrPull on the registry"
	if e.status == http.StatusForbidden {
		todo += ", and this computer's address let in by the registry's firewall"
	}
	return fmt.Sprintf("it does not take the login of Azure (%s): %d %s; %s", e.login, e.status, e.said, todo)
}

// Unwrap says that somebody has to do something.
func (e *registryError) Unwrap() error { return resource.ErrRefused }

// refusedExchange reads what a registry answers in place of a token.
func refusedExchange(status int, body []byte) error {
	var got struct {
		Errors []struct{ Code, Message string }
	}
	said := http.StatusText(status)
	if json.Unmarshal(body, &got) == nil && len(got.Errors) > 0 {
		said = strings.TrimSuffix(strings.TrimSuffix(got.Errors[0].Code+": "+got.Errors[0].Message, "."), ": ")
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &registryError{status: status, said: said}
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return fmt.Errorf("%w: it answers %d to a login of Azure: it is no Azure Container Registry", resource.ErrRefused, status)
	}
	return fmt.Errorf("%w: it answers %d %s to a login of Azure", resource.ErrTransient, status, said)
}
