package run

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// tokenServer gives tokens for a registry: for a password, or for the identity
// token that it gave for one.
type tokenServer struct {
	key   *ecdsa.PrivateKey
	cert  []byte
	url   string
	given atomic.Int64 // for identity tokens
}

const tokenService, identityToken = "swarmtest registry", "an-identity-token"

// startTokenServer starts one where engines reach it. Its certificate is in the
// file.
func startTokenServer(t *testing.T, addr string) (s *tokenServer, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tokens"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	s = &tokenServer{key: key}
	if s.cert, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "tokens.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	s.url = "http://" + l.Addr().String() + "/token"
	return s, file
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, basic := r.BasicAuth()
	switch {
	case basic && user == "ann" && password == "correct horse":
	case r.FormValue("grant_type") == "refresh_token" && r.FormValue("refresh_token") == identityToken:
		s.given.Add(1)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"this identity is not known here"}]}`)
		return
	}
	answer := map[string]any{"expires_in": 3600}
	if r.FormValue("offline_token") == "true" || r.FormValue("access_type") == "offline" {
		answer["refresh_token"] = identityToken
	}
	token := s.token(strings.Join(append(r.Form["scope"], r.URL.Query()["scope"]...), " "))
	answer["token"], answer["access_token"] = token, token
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// token signs what is asked for, as the registry's specification says.
func (s *tokenServer) token(scopes string) string {
	access := []map[string]any{}
	for _, scope := range strings.Fields(scopes) {
		if p := strings.Split(scope, ":"); len(p) == 3 {
			access = append(access, map[string]any{"type": p[0], "name": p[1], "actions": strings.Split(p[2], ",")})
		}
	}
	now := time.Now()
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]any{"typ": "JWT", "alg": "ES256", "x5c": []string{base64.StdEncoding.EncodeToString(s.cert)}}) + "." + part(map[string]any{
		"iss": "tokens", "sub": "ann", "aud": tokenService, "jti": fmt.Sprint(now.UnixNano()),
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(), "access": access,
	})
	sum := sha256.Sum256([]byte(text))
	a, b, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(append(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))...))
}

// Identity tokens: of docker login, and in the script.
func TestRegistryIdentityToken(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	for _, v := range []testengine.Version{testengine.Debian20, testengine.Docker28} {
		t.Run(v.String(), func(t *testing.T) { testRegistryIdentityToken(t, v) })
	}
}

func testRegistryIdentityToken(t *testing.T, v testengine.Version) {
	w := newLoginWorld(t, v)
	at, _, err := net.SplitHostPort(w.r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	server, file := startTokenServer(t, at)
	w.r.Stop()
	w.r = testengine.StartTokenRegistry(w.e, server.url, tokenService, "tokens", file)
	w.r.Login(w.e, w.pusher)
	if kept := read(t, filepath.Join(w.pusher, "config.json")); !strings.Contains(kept, identityToken) {
		t.Fatalf("docker login keeps no identity token: %s", kept)
	}
	one := w.r.Push(w.e, w.pusher, testengine.Web1, "web:1")

	login := func(token string) string {
		return fmt.Sprintf("registry(%q, identity_token = %q)", w.r.Addr, token)
	}
	said := w.refused(t, w.declare(login("another-token"), service("web", "R/web:1", "")))
	wants(t, said, "registry "+w.r.Addr, "its identity token", "check username")
	if strings.Contains(said, "another-token") {
		t.Errorf("it shows the token:\n%s", said)
	}
	before := server.given.Load()
	opts := w.declare(login(identityToken), service("web", "R/web:1", ""))
	applyAll(t, opts)
	w.noChange(t, opts)
	if got, want := w.image("web"), w.r.Addr+"/web:1@"+one; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
	if server.given.Load() == before {
		t.Error("nobody came with the identity token")
	}
	t.Setenv("DOCKER_CONFIG", w.pusher)
	opts = w.declare(fmt.Sprintf("registry(%q)", w.r.Addr), service("web", "R/web:1", ""), service("kept", "R/web:1", ""))
	applyAll(t, opts)
	w.noChange(t, opts)
}
