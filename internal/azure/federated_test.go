package azure

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A job of GitHub Actions has its token from where its runner says.
func TestTokenOfAJob(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer runner" || r.URL.RawQuery != "api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"count": 1, "value": "a.b.c"}`))
	}))
	defer s.Close()
	t.Setenv("ARM_USE_OIDC", "true")
	t.Setenv("ARM_OIDC_TOKEN", "")
	t.Setenv("ARM_OIDC_TOKEN_FILE_PATH", "")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", s.URL+"/token?api-version=2.0")
	for bearer, want := range map[string]string{"runner": "a.b.c", "another": "403 Forbidden without one; the job needs permissions: id-token: write"} {
		t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", bearer)
		ask, err := federated()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ask(t.Context())
		if err != nil {
			got = err.Error()
		}
		if !strings.HasSuffix(got, want) {
			t.Errorf("as %s: %q, want %q", bearer, got, want)
		}
	}
}
