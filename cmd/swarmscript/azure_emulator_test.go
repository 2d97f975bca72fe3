package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What is behind a registry's login is asked without it.
func TestRegistryBehindLogin(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s, by %q", r.URL.Path, r.Header.Get("X-Forwarded-Host"), r.Header.Get("Authorization"))
	}))
	defer behind.Close()
	host, handler, err := parseRegistry("shop.azurecr.io=" + behind.URL)
	if err != nil || host != "shop.azurecr.io" {
		t.Fatal(host, err)
	}
	r := httptest.NewRequest(http.MethodGet, "https://shop.azurecr.io/v2/web/manifests/1", nil)
	r.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if got := w.Body.String(); got != `/v2/web/manifests/1 for shop.azurecr.io, by ""` {
		t.Error(got)
	}
}
