package azure

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// onAzure is a machine's own identity. Elsewhere there is none: the SDK would take its
// time to find that out, and what another cloud's service answers would end the chain.
type onAzure struct {
	azcore.TokenCredential
	metadata string
	is       atomic.Bool // one of Azure's, which it was once found to be
}

// metadata is Azure's service inside of its machines. Other clouds have theirs at the
// same address.
const metadata = "http://169.254.169.254"

// GetToken implements [azcore.TokenCredential].
func (o *onAzure) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if os.Getenv("IDENTITY_ENDPOINT") == "" && os.Getenv("MSI_ENDPOINT") == "" && !o.is.Load() {
		if !isAzure(ctx, o.metadata) {
			return azcore.AccessToken{}, azidentity.NewCredentialUnavailableError("managed identity: this is no machine of Azure's")
		}
		o.is.Store(true)
	}
	return o.TokenCredential.GetToken(ctx, opts)
}

// isAzure reports whether a machine's service says that it is one of Azure's.
func isAzure(ctx context.Context, at string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/metadata/instance/compute?api-version=2021-02-01", nil)
	if err != nil {
		return false
	}
	req.Header.Set("Metadata", "true")
	link := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy reaches a link-local address
	res, err := link.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	var compute struct{ AzEnvironment string }
	err = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&compute)
	return err == nil && res.StatusCode == http.StatusOK && compute.AzEnvironment != ""
}
