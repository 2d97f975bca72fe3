package azure

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

var errAsked = errors.New("asked for a token")

type asked struct{}

// GetToken implements [azcore.TokenCredential].
func (asked) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, errAsked
}

// Machines of other clouds have a service at the same address: their own identity is
// none, and az's login is what counts.
func TestOtherCloudsMachines(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		azure  bool
	}{
		"Azure": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Metadata") != "true" || r.URL.Path != "/metadata/instance/compute" {
				http.Error(w, "Required metadata header not specified", http.StatusBadRequest)
				return
			}
			w.Write([]byte(`{"azEnvironment":"AzurePublicCloud","location":"westeurope","name":"web"}`))
		}, true},
		"EC2 with tokens": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, false},
		"OpenStack":       {http.NotFound, false},
		"GCP":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, false},
		"a portal":        {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>log in</html>")) }, false},
		"other JSON":      {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }, false},
		"nobody":          {nil, false},
	} {
		t.Setenv("IDENTITY_ENDPOINT", "")
		t.Setenv("MSI_ENDPOINT", "")
		s := httptest.NewServer(c.answer)
		if c.answer == nil {
			s.Close()
		}
		_, err := (&onAzure{TokenCredential: asked{}, metadata: s.URL}).GetToken(t.Context(), policy.TokenRequestOptions{})
		if errors.Is(err, errAsked) != c.azure {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}
