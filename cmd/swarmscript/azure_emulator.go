package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/atomicwriter"
	"github.com/spf13/cobra"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/azure/machines"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/local"
)

// azureEmulator is the family of verbs of an emulated Azure.
type azureEmulator struct {
	state         string
	listen        string
	machines      string
	site          string
	faults        []string
	actions       []string
	notActions    []string
	terms         []string
	unregistered  []string
	registries    []string
	secretExpired bool
	operationTime time.Duration
	cores         int
	addresses     int
	unlimited     bool
	verbose       bool
}

// urlFile says, in the state's folder, where the emulator serves, and machinesFile
// what its machines are.
const (
	urlFile      = "url"
	machinesFile = "machines"
)

func (a *app) azureEmulatorCommand() *cobra.Command {
	e := &azureEmulator{}
	cmd := &cobra.Command{
		Use:   "azure-emulator",
		Short: "Serve an Azure of this computer, to try azure() scripts against",
		Long: "Serve what Azure Resource Manager and Entra ID say, over HTTPS, so that scripts with azure() run offline, from\n" +
			"signing in to a swarm. It is kept in a folder, and goes on there when it is started again. Its machines are said\n" +
			"to be there only (--machines none), hosts of a lab, or real ones of this computer, which need Linux and root.",
		Example: "  swarmscript azure-emulator --machines lab &\n" +
			"  eval $(swarmscript azure-emulator env)\n" +
			"  swarmscript apply cluster.star\n" +
			"  swarmscript azure-emulator --fault status=429,every=10 --fault fail=AllocationFailed,name=wrk-2\n" +
			"  swarmscript azure-emulator --not-actions Microsoft.Network/virtualNetworks/write --secret-expired",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.serve(cmd.Context(), cmd.OutOrStdout()) },
	}
	cmd.PersistentFlags().StringVar(&e.state, "state", filepath.Join(".swarmscript", "azure-emulator"), "the `FOLDER` that keeps it")
	_ = cmd.MarkPersistentFlagDirname("state")
	f := cmd.Flags()
	f.StringVar(&e.listen, "listen", "127.0.0.1:8443", "the `ADDRESS` to serve at")
	f.StringVar(&e.machines, "machines", "none", "what boots for virtual machines: `none`, lab or local")
	f.StringVar(&e.site, "site", "azure", "the site of local machines that it has for itself")
	f.StringArrayVar(&e.faults, "fault", nil, "make requests go wrong: `FAULT` is of action=, name=, every=, times=, and status=, retry-after=, slow=, slow-operation=, lag=, fail=")
	f.StringSliceVar(&e.actions, "actions", []string{"*"}, "the `ACTIONS` that the roles of the login have, where * is any text")
	f.StringSliceVar(&e.notActions, "not-actions", nil, "the `ACTIONS` that they lack, as Microsoft.Compute/virtualMachines/write")
	f.BoolVar(&e.secretExpired, "secret-expired", false, "the login's secret has expired")
	f.StringSliceVar(&e.terms, "accepted-terms", nil, "the `PLANS` of the marketplace whose terms are accepted, as PUBLISHER:OFFER:PLAN")
	f.StringSliceVar(&e.unregistered, "unregistered", nil, "the `NAMESPACES`, as Microsoft.Compute, that the subscription is not registered to use until somebody registers it")
	f.StringArrayVar(&e.registries, "registry", nil, "a container registry that there is: its `HOST`, as shop.azurecr.io, or HOST=URL of one without a login whose images it has")
	f.DurationVar(&e.operationTime, "operation-time", time.Second, "how long an operation takes, beside what its machine needs")
	f.IntVar(&e.cores, "cores", 100, "the quota of virtual CPUs in each location")
	f.IntVar(&e.addresses, "addresses", 1000, "the quota of public addresses in each location")
	f.BoolVar(&e.unlimited, "unlimited", false, "without the limits on requests that Azure has")
	f.BoolVarP(&e.verbose, "verbose", "v", false, "show each request")
	_ = cmd.RegisterFlagCompletionFunc("machines", cobra.FixedCompletions([]string{"none", "lab", "local"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(&cobra.Command{
		Use: "env", Short: "Print what to export, for azure() to find the emulator and to sign in", Args: cobra.NoArgs, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.env(cmd.OutOrStdout()) },
	})
	return cmd
}

// options reads the flags, with what is wrong with all of them.
func (e *azureEmulator) options() (emulator.Options, error) {
	app := emulator.DefaultApp
	app.Actions, app.NotActions, app.Expired = e.actions, e.notActions, e.secretExpired
	o := emulator.Options{Dir: e.state, OperationTime: e.operationTime, Cores: e.cores, Addresses: e.addresses, Apps: []emulator.App{app}, Terms: e.terms, Unregistered: e.unregistered, Registries: map[string]http.Handler{}}
	var errs []error
	for _, s := range e.terms {
		if strings.Count(s, ":") != 2 {
			errs = append(errs, fmt.Errorf("--accepted-terms: got %q, want PUBLISHER:OFFER:PLAN", s))
		}
	}
	for _, s := range e.unregistered {
		if known := emulator.Registrable(); !slices.ContainsFunc(known, func(ns string) bool { return strings.EqualFold(ns, s) }) {
			errs = append(errs, fmt.Errorf("--unregistered: got %q, want %s", s, strings.Join(known, ", ")))
		}
	}
	for _, s := range e.registries {
		host, behind, err := parseRegistry(s)
		errs = append(errs, err)
		o.Registries[host] = behind
	}
	for _, s := range e.faults {
		f, err := emulator.ParseFault(s)
		errs = append(errs, err)
		o.Faults = append(o.Faults, f)
	}
	if e.unlimited {
		o.Limits = &emulator.Limits{}
	}
	if known := []string{"none", "lab", "local"}; !slices.Contains(known, e.machines) {
		errs = append(errs, fmt.Errorf("--machines: got %q, want %s", e.machines, strings.Join(known, ", ")))
	}
	return o, errors.Join(errs...)
}

// parseRegistry reads a registry as a flag says it, with what is behind its login:
// nothing where it is empty.
func parseRegistry(s string) (host string, behind http.Handler, err error) {
	host, at, given := strings.Cut(s, "=")
	if host == "" || strings.Contains(host, "/") {
		return "", nil, fmt.Errorf("--registry: got %q, want HOST or HOST=URL, as in shop.azurecr.io", s)
	}
	if !given {
		return host, nil, nil
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", nil, fmt.Errorf("--registry: got %q, want HOST=URL, as in shop.azurecr.io=http://127.0.0.1:5000", s)
	}
	return host, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Header.Del("Authorization")
		r.SetXForwarded()
	}}, nil
}

// behind is what boots for virtual machines.
func (e *azureEmulator) behind() (emulator.Machines, error) {
	switch e.machines {
	case "lab":
		l, err := lab.Open(filepath.Join(e.state, "lab"))
		if err != nil {
			return nil, err
		}
		return machines.OfLab(l), nil
	case "local":
		s, err := local.Open(local.Config{Site: e.site})
		if err != nil {
			return nil, err
		}
		return machines.OfSite(s), nil
	}
	return nil, nil
}

// serve serves until it is interrupted.
func (e *azureEmulator) serve(ctx context.Context, out io.Writer) error {
	o, err := e.options()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", e.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() { // all of this computer's
		host = "127.0.0.1"
	}
	cert, err := emulator.Certificates(e.state, "localhost", "127.0.0.1", host)
	if err != nil {
		return err
	}
	o.URL = "https://" + net.JoinHostPort(host, port)
	if o.Machines, err = e.behind(); err != nil {
		return err
	}
	if e.verbose {
		o.Log = func(r emulator.Request) { fmt.Fprintln(out, r.Method, r.Path, r.Status, r.Code) }
	}
	azure, err := emulator.New(o)
	if err != nil {
		return err
	}
	for _, f := range [][2]string{{machinesFile, e.machines}, {urlFile, o.URL}} {
		if err := atomicwriter.WriteFile(filepath.Join(e.state, f[0]), []byte(f[1]), 0o600); err != nil {
			return errors.Join(err, azure.Close())
		}
	}
	fmt.Fprintf(out, "serving Azure at %s; swarmscript azure-emulator env prints what to export\n", o.URL)
	server := &http.Server{Handler: azure, ReadHeaderTimeout: time.Minute}
	if !e.verbose { // clients that go away while they are greeted
		server.ErrorLog = log.New(io.Discard, "", 0)
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err = server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}))
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, os.Remove(filepath.Join(e.state, urlFile)), azure.Close())
}

// env prints what to export.
func (e *azureEmulator) env(out io.Writer) error {
	url, err := os.ReadFile(filepath.Join(e.state, urlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &diag.Diagnostic{Summary: "no emulator serves from " + near(e.state), Hint: "start one with swarmscript azure-emulator, and give both the same --state"}
	}
	if err != nil {
		return err
	}
	behind, err := os.ReadFile(filepath.Join(e.state, machinesFile))
	if err != nil {
		return err
	}
	ca, err := filepath.Abs(filepath.Join(e.state, emulator.CAFile))
	if err != nil {
		return err
	}
	for _, kv := range [][2]string{
		{"SWARMSCRIPT_AZURE_ENDPOINT", string(url)}, {"SWARMSCRIPT_AZURE_CA_FILE", ca}, {"SWARMSCRIPT_AZURE_MACHINES", string(behind)},
		{"AZURE_TENANT_ID", emulator.DefaultTenant}, {"AZURE_CLIENT_ID", emulator.DefaultApp.ID}, {"AZURE_CLIENT_SECRET", emulator.DefaultApp.Secret},
		{"AZURE_SUBSCRIPTION_ID", emulator.DefaultSubscription},
	} {
		fmt.Fprintf(out, "export %s=%s\n", kv[0], shellWord(kv[1]))
	}
	return nil
}
