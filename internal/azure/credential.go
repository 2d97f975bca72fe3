package azure

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// The variables that name another Azure Resource Manager, such as one to test
// against: where it is, and whose certificates are trusted there. Its host gives
// out the tokens, too. MachinesVariable is "none" where that Azure only says that
// there are machines, so that nobody waits for one to answer.
const (
	EndpointVariable = "SWARMSCRIPT_AZURE_ENDPOINT"
	CAVariable       = "SWARMSCRIPT_AZURE_CA_FILE"
	MachinesVariable = "SWARMSCRIPT_AZURE_MACHINES"
)

// account is who we are to Azure.
type account struct {
	cred    azcore.TokenCredential
	options arm.ClientOptions
	tenant  string
	custom  bool // another Azure than Microsoft's

	mu    sync.Mutex
	taken string // the name of the credential that was taken, "" before the first
}

// newAccount prepares the credentials of the environment. Nothing is contacted.
// Requests are sent through the network where through is nil.
func newAccount(cfg Config, throttle policy.Policy, through policy.Transporter) (*account, error) {
	conf, err := cloudOf(cfg)
	if err != nil {
		return nil, err
	}
	a := &account{tenant: cmp.Or(cfg.Tenant, os.Getenv("AZURE_TENANT_ID"), os.Getenv("ARM_TENANT_ID"))}
	options := azcore.ClientOptions{Transport: through, Retry: policy.RetryOptions{MaxRetries: -1}, Telemetry: policy.TelemetryOptions{ApplicationID: "swarmscript"}}
	if endpoint := strings.TrimSuffix(os.Getenv(EndpointVariable), "/"); endpoint != "" {
		if !strings.HasPrefix(endpoint, "https://") {
			return nil, fmt.Errorf("%s is %q, want https://host:port: tokens are sent over nothing else", EndpointVariable, endpoint)
		}
		a.custom = true
		conf = cloud.Configuration{
			ActiveDirectoryAuthorityHost: endpoint + "/",
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: endpoint, Audience: "https://management.core.windows.net/"},
			},
		}
	}
	if file := os.Getenv(CAVariable); file != "" {
		client, err := trusting(file)
		if err != nil {
			return nil, err
		}
		options.Transport = client
	}
	options.Cloud = conf
	logins := options // which the SDK tries again by itself: the throttle is not for them
	logins.Retry = policy.RetryOptions{ShouldRetry: loginAgain}
	sources, err := a.chain(logins)
	if err != nil {
		return nil, err
	}
	chain, err := azidentity.NewChainedTokenCredential(sources, nil)
	if err != nil {
		return nil, err
	}
	a.cred = chain
	a.options = arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true} // which ours does
	a.options.PerCallPolicies = []policy.Policy{&registrar{account: a, one: make(chan struct{}, 1)}, throttle}
	return a, nil
}

// login gets the token that all that is sent to Resource Manager then has. Many that
// are sent at once would each be refused.
func (a *account) login(ctx context.Context) error {
	scope := a.options.Cloud.Services[cloud.ResourceManager].Audience + "/.default"
	_, err := a.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}, EnableCAE: true}) // as the SDK asks for it
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return explain(err)
}

// trusting is a client that trusts the authorities of a file beside the system's:
// of this program's other connections, none does.
func trusting(file string) (*http.Client, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", CAVariable, err)
	}
	pool, ok := authorities(pem)
	if !ok {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM format", CAVariable, file)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	t.MaxIdleConnsPerHost = 32
	return &http.Client{Transport: t}, nil
}

// authorities are the system's and those of PEM blocks, and whether there were any.
func authorities(pem []byte) (*x509.CertPool, bool) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	return pool, pool.AppendCertsFromPEM(pem)
}

// The credentials that somebody gives this program, by what they are called.
const (
	principalName = "the environment's service principal"
	workloadName  = "the workload's identity"
)

// loginAgain reports whether a login is tried again: where a connection broke, or
// Entra ID failed. Where none can be made the SDK would take minutes to say so.
func loginAgain(resp *http.Response, err error) bool {
	if err != nil {
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	}
	return runtime.HasStatusCode(resp, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
}

// chain are the credentials in the order in which they are tried. One that is
// there and is refused ends it: a person who gave it wants to know; so does one who
// gave a part of it.
func (a *account) chain(options azcore.ClientOptions) ([]azcore.TokenCredential, error) {
	var out []azcore.TokenCredential
	add := func(name string, cred azcore.TokenCredential, err error) {
		if err != nil {
			cred = unavailable{fmt.Errorf("%s: %w", name, err)}
		}
		out = append(out, noted{name, cred, a})
	}
	env, err := a.environment(options)
	if err != nil {
		return nil, fmt.Errorf("azure: %w: %s: %w", resource.ErrRefused, principalName, err)
	}
	if env != nil {
		add(principalName, env, nil)
	}
	workload, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: options, TenantID: a.tenant, DisableInstanceDiscovery: a.custom,
	})
	add(workloadName, workload, err)
	managed := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
	if id := cmp.Or(os.Getenv("AZURE_CLIENT_ID"), os.Getenv("ARM_CLIENT_ID")); id != "" {
		managed.ID = azidentity.ClientID(id)
	}
	identity, err := azidentity.NewManagedIdentityCredential(managed)
	if err == nil {
		add("this machine's managed identity", &onAzure{TokenCredential: identity, metadata: metadata}, nil)
	}
	cli, err := azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: a.tenant})
	add("az login", cli, err)
	azd, err := azidentity.NewAzureDeveloperCLICredential(&azidentity.AzureDeveloperCLICredentialOptions{TenantID: a.tenant})
	add("azd auth login", azd, err)
	return out, nil
}

// environment is the credential that AZURE_* says, or ARM_* as Terraform calls it;
// nil where neither has a secret, a certificate or a token of somebody Entra trusts.
func (a *account) environment(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	get := func(name string) string { return cmp.Or(os.Getenv("AZURE_"+name), os.Getenv("ARM_"+name)) }
	id, secret, cert := get("CLIENT_ID"), get("CLIENT_SECRET"), get("CLIENT_CERTIFICATE_PATH")
	token, err := federated()
	switch {
	case err != nil:
		return nil, err
	case secret == "" && cert == "" && token == nil:
		return nil, nil
	case id == "":
		return nil, errors.New("there is a secret, a certificate or a token, and neither AZURE_CLIENT_ID nor ARM_CLIENT_ID is set")
	case a.tenant == "":
		return nil, errors.New("there is a secret, a certificate or a token, and neither AZURE_TENANT_ID nor ARM_TENANT_ID is set")
	case token != nil:
		return azidentity.NewClientAssertionCredential(a.tenant, id, token, &azidentity.ClientAssertionCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: a.custom,
		})
	case secret != "":
		return azidentity.NewClientSecretCredential(a.tenant, id, secret, &azidentity.ClientSecretCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: a.custom,
		})
	}
	pem, err := os.ReadFile(cert)
	if err != nil {
		return nil, err
	}
	certs, key, err := azidentity.ParseCertificates(pem, []byte(get("CLIENT_CERTIFICATE_PASSWORD")))
	if err != nil {
		return nil, fmt.Errorf("%s: want a certificate and its key, as PEM or PKCS #12: %w", cert, err)
	}
	return azidentity.NewClientCertificateCredential(a.tenant, id, certs, key, &azidentity.ClientCertificateCredentialOptions{
		ClientOptions: options, DisableInstanceDiscovery: a.custom,
	})
}

// noted remembers which credential was taken.
type noted struct {
	name string
	azcore.TokenCredential
	account *account
}

// GetToken implements [azcore.TokenCredential].
func (n noted) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := n.TokenCredential.GetToken(ctx, o)
	if err == nil {
		n.account.mu.Lock()
		n.account.taken = n.name
		n.account.mu.Unlock()
	}
	var refused *azidentity.AuthenticationFailedError
	if errors.As(err, &refused) {
		err = &loginError{n.name, err}
	}
	return t, err
}

// loginError is a credential that was there and was refused.
type loginError struct {
	name string
	err  error
}

// Error begins with the name, which the chain keeps of it.
func (e *loginError) Error() string { return e.name + ": " + e.err.Error() }

// Unwrap is what Entra says.
func (e *loginError) Unwrap() error { return e.err }

// credential is the name of the one that was taken.
func (a *account) credential() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.taken
}

// unavailable is a credential that the environment does not have.
type unavailable struct{ err error }

// GetToken implements [azcore.TokenCredential]: the chain goes on.
func (u unavailable) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, azidentity.NewCredentialUnavailableError(u.err.Error())
}

// givenSubscription is the subscription that the script or the environment says, or
// the one that az works with; "" where nobody does.
func givenSubscription(cfg Config) (id, from string) {
	switch {
	case cfg.Subscription != "":
		return cfg.Subscription, "the script"
	case os.Getenv("AZURE_SUBSCRIPTION_ID") != "":
		return os.Getenv("AZURE_SUBSCRIPTION_ID"), "AZURE_SUBSCRIPTION_ID"
	case os.Getenv("ARM_SUBSCRIPTION_ID") != "":
		return os.Getenv("ARM_SUBSCRIPTION_ID"), "ARM_SUBSCRIPTION_ID"
	}
	dir := os.Getenv("AZURE_CONFIG_DIR")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".azure")
	}
	data, err := os.ReadFile(filepath.Join(dir, "azureProfile.json"))
	if err != nil {
		return "", ""
	}
	return defaultSubscription(data), "az"
}

// defaultSubscription reads az's profile, which begins with a byte order mark.
func defaultSubscription(profile []byte) string {
	var p struct {
		Subscriptions []struct {
			ID        string `json:"id"`
			IsDefault bool   `json:"isDefault"`
		} `json:"subscriptions"`
	}
	if json.Unmarshal(bytes.TrimPrefix(profile, []byte("\xef\xbb\xbf")), &p) != nil {
		return ""
	}
	for _, s := range p.Subscriptions {
		if s.IsDefault {
			return s.ID
		}
	}
	return ""
}
