package run

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// The right that pulling from a registry of Azure's takes.
const acrPull = "Microsoft.ContainerRegistry/registries/pull/read"

// behindAzure serves a registry with Azure's login before it, where engines reach it.
func behindAzure(t *testing.T, w *loginWorld, azure *azuretest.Server) *testengine.Registry {
	t.Helper()
	ip, _, err := net.SplitHostPort(w.r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(w.r.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	at, password := w.r.Addr, w.r.Password
	back := &httputil.ReverseProxy{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: at})
			r.Out.SetBasicAuth("ann", password)
		},
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	certs := testengine.CertificatesOf(t, ip)
	server := &http.Server{Handler: azure.Registry(l.Addr().String(), back)}
	go server.ServeTLS(l, filepath.Join(certs, "server.pem"), filepath.Join(certs, "server-key.pem"))
	t.Cleanup(func() { server.Close() })
	return testengine.RegistryAt(w.e, l.Addr().String(), filepath.Join(certs, "ca.pem"), "", "")
}

// Nodes pull from an Azure Container Registry by a login that Azure's is exchanged
// for; when that is about to expire the next apply sends another, and no task
// restarts. Who may not pull is told so before anything is written.
func TestRegistryOfAzure(t *testing.T) {
	if testengine.Alone(t) {
		return
	}
	w := newLoginWorld(t, testengine.Docker28)
	azure := azuretest.Start(t)
	azure.Setenv(t)
	one := w.r.Push(w.e, w.pusher, testengine.Web1, "web:1")
	w.r = behindAzure(t, w, azure)
	ca, err := os.ReadFile(w.r.CA)
	if err != nil {
		t.Fatal(err)
	}
	login := fmt.Sprintf("registry(%q, provider = azure(\"westeurope\"), ca = %s)", w.r.Addr, quoted(ca))
	opts := w.declare(login, service("web", "R/web:1", ""))

	azure.Fault(emulator.Fault{Action: acrPull, Status: http.StatusForbidden})
	wants(t, w.refused(t, opts), "registry "+w.r.Addr, "does not take the login of Azure (the environment's service principal)", "DENIED: client with IP", "AcrPull", "az login")
	azure.ClearFaults()
	secret := os.Getenv("AZURE_CLIENT_SECRET")
	t.Setenv("AZURE_CLIENT_SECRET", "nonsense")
	said := w.refused(t, opts)
	wants(t, said, "AADSTS7000215")
	if strings.Contains(said, "nonsense") {
		t.Errorf("it shows the secret:\n%s", said)
	}
	t.Setenv("AZURE_CLIENT_SECRET", secret)

	p := reached(t, opts)
	wants(t, warned(p), "the login that the nodes get expires at", "apply again before then")
	p.Close()
	applyAll(t, opts)
	w.noChange(t, opts)
	if got, want := w.image("web"), w.r.Addr+"/web:1@"+one; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}

	// Most of its three hours are over.
	label := func() string {
		return w.e.Docker("service", "inspect", "--format", "{{index .Spec.Labels \"swarmscript.auth\"}}", "web")
	}
	if got := label(); !strings.Contains(got, "until=") {
		t.Fatalf("nothing says how long the login holds: %q", got)
	}
	running, now := w.tasks("web"), time.Now().UTC()
	w.e.Docker("service", "update", "--detach", "--label-add",
		fmt.Sprintf("swarmscript.auth=sent=%s,until=%s", now.Add(-170*time.Minute).Format(time.RFC3339), now.Add(10*time.Minute).Format(time.RFC3339)), "web")
	p = reached(t, opts)
	wants(t, show(p.Plan), `registry_auth: "expires at`, "nothing restarts")
	p.Close()
	applyAll(t, opts)
	w.noChange(t, opts)
	_, until, _ := strings.Cut(label(), "until=")
	if end, err := time.Parse(time.RFC3339, until); err != nil || end.Before(now.Add(2*time.Hour)) {
		t.Errorf("the login that was sent holds until %q", until)
	}
	if got := w.tasks("web"); got != running {
		t.Errorf("the tasks were %s and are %s: another login restarts them", running, got)
	}

	// Where there is no swarm yet it is told too.
	w.e.Docker("swarm", "leave", "--force")
	azure.Fault(emulator.Fault{Action: acrPull, Status: http.StatusUnauthorized})
	opts = w.declare(fmt.Sprintf("swarm.init(engine(), advertise_addr = %q)", w.e.Addr), login, service("web", "R/web:1", ""))
	wants(t, w.refused(t, opts), "registry "+w.r.Addr, "401 UNAUTHORIZED: authentication required", "AcrPull")
}
