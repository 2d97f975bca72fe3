package builtins

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// RegistryHandle is what registry() returns: a place that images are pulled
// from, and pushed to.
type RegistryHandle struct {
	starlark.NoneType
	login *resource.Login
}

var _ starlark.HasAttrs = (*RegistryHandle)(nil)

// String names the registry, without its login.
func (h *RegistryHandle) String() string { return "<registry " + h.login.Host + ">" }

// Type returns "registry".
func (h *RegistryHandle) Type() string { return "registry" }

// Truth is true.
func (h *RegistryHandle) Truth() starlark.Bool { return starlark.True }

// Hash is that of the host.
func (h *RegistryHandle) Hash() (uint32, error) { return starlark.String(h.login.Host).Hash() }

// Attr returns the host, or the function that names an image of the registry.
func (h *RegistryHandle) Attr(name string) (starlark.Value, error) {
	switch name {
	case "host":
		return starlark.String(h.login.Host), nil
	case "image":
		return starlark.NewBuiltin("image", h.image), nil
	}
	return nil, nil
}

// AttrNames returns the names of what it tells.
func (h *RegistryHandle) AttrNames() []string { return []string{"host", "image"} }

// image(name) is the reference of an image in the registry.
func (h *RegistryHandle) image(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name); err != nil {
		return nil, err
	}
	name = strings.TrimPrefix(name, "/")
	switch {
	case name == "":
		return nil, &diag.Diagnostic{Summary: "image: the name is empty", Hint: `such as "shop/web:1"`}
	case strings.HasPrefix(name, h.login.Host+"/"):
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("image: %q has the registry in it, which is put before it", name), Hint: fmt.Sprintf("image(%q)", strings.TrimPrefix(name, h.login.Host+"/"))}
	}
	return starlark.String(h.login.Host + "/" + name), nil
}

// registryHost is what an image's name begins with: a name with a dot or a port,
// an address, localhost.
var registryHost = pattern.Of(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(:[0-9]+)?$`)

// registry(host, username="", password="", identity_token="", helper="", ca="",
// insecure=False, provider=None) is the login for the images of a registry.
func (r *Recorder) registry(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	l := &resource.Login{}
	var host, username, password, token, provider starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "host", &host, "username?", &username, "password?", &password,
		"identity_token?", &token, "helper?", &l.Helper, "ca?", &l.CA, "insecure?", &l.Insecure, "provider?", &provider); err != nil {
		return nil, err
	}
	s, pos := lang.FromThread(thread), lang.CallPos(thread)
	l.Pos = pos
	wrong := false
	report := func(arg, hint, format string, a ...any) {
		wrong = true
		s.Report(thread, &diag.Diagnostic{
			Pos: argumentAt(s, pos, args, arg, slices.Index(registryArgs, arg)), Summary: "registry: " + fmt.Sprintf(format, a...), Hint: hint,
		})
	}
	for i, arg := range []struct {
		v  starlark.Value
		to *string
	}{{host, &l.Host}, {username, &l.Username}, {password, &l.Password}, {token, &l.IdentityToken}} {
		text, problem := textNow(arg.v)
		hint := "give it by env(..., sensitive = True), or leave it to docker login"
		if i == 0 {
			hint = "images are named by it, and it is shown"
			if problem == "" && isSecret(arg.v) {
				problem = "is sensitive"
			}
		}
		if problem != "" {
			report(registryArgs[i], hint, "%s: %s", registryArgs[i], problem)
			text = standInHost
		}
		*arg.to = text
	}
	if provider != nil && provider != starlark.None {
		if p, ok := provider.(*ProviderHandle); ok && p.scope.Type == "azure" {
			l.Issuer = azure.Registry{Config: loginOf(p.scope.Config.(azure.Config))}
		} else {
			report("provider", "", "provider: got %s, want azure(...)", provider.Type())
		}
	}
	if !wrong {
		checkLogin(l, report)
	}
	l.Host = resource.RegistryHost(bareHost(l.Host))
	return r.addLogin(thread, l), nil
}

var registryArgs = []string{"host", "username", "password", "identity_token", "helper", "ca", "insecure", "provider"}

// standInHost stands for a text that is wrong, which has been said.
const standInHost = "unknown.invalid"

func bareHost(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://"), "/")
}

// checkLogin finds what is wrong with the arguments of registry().
func checkLogin(l *resource.Login, report func(arg, hint, format string, a ...any)) {
	host := bareHost(l.Host)
	switch {
	case !registryHost().MatchString(l.Host) && registryHost().MatchString(host):
		report("host", fmt.Sprintf("registry(%q)", host), "host: %q is an address of the web: give what the names of images begin with", l.Host)
	case !registryHost().MatchString(l.Host):
		report("host", `such as "registry.example.com" or "10.0.0.4:5000"; "docker.io" is Docker Hub`, "host: %q is not the host of a registry", l.Host)
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		report("host", `"docker.io" is Docker Hub; another registry's name has a dot or a port`, "host: %q would be a user of Docker Hub in an image's name", l.Host)
	}
	switch {
	case l.Password != "" && l.IdentityToken != "":
		report("identity_token", "", "give a password or an identity token, not both")
	case l.Username == "" && l.Password != "":
		report("password", "leave out both for what docker login has kept", "username and password go together")
	case l.Username != "" && l.Password == "" && l.IdentityToken == "":
		report("username", "leave out both for what docker login has kept", "username and password go together")
	case l.Helper != "" && l.Fixed():
		report("helper", "", "give a helper or a login, not both")
	case strings.ContainsAny(l.Helper, "/\\ "):
		report("helper", `docker-credential-ecr-login is "ecr-login"`, "helper: %q is not the name of a credential helper", l.Helper)
	}
	switch {
	case l.Issuer != nil && (l.Fixed() || l.Helper != ""):
		report("provider", "", "give a provider or a login, not both")
	case l.Issuer != nil && l.Insecure:
		report("insecure", "ca = read_file(...) has its certificate checked", "a login of Azure goes to nobody whose certificate is not checked")
	}
	if l.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(l.CA)) {
		report("ca", `ca = read_file("ca.pem")`, "ca: there is no certificate in PEM format in it")
	}
}

// textNow is a text that is needed before anything exists. A problem says why it
// cannot be had.
func textNow(v starlark.Value) (text, problem string) {
	if v == nil || v == starlark.None {
		return "", ""
	}
	plain, err := lang.ToValue(v)
	if err != nil {
		return "", "want a text"
	}
	if d, ok := v.(*lang.Deferred); ok && isInput(d.Value()) {
		return standInHost, "" // that it has no value has been said
	}
	switch x := value.Reveal(plain).(type) {
	case string:
		return x, ""
	case value.Ref, *value.Template:
		return "", "is not known before an apply, and is needed to look at what there is"
	}
	return "", fmt.Sprintf("got %s, want a text", v.Type())
}

func isSecret(v starlark.Value) bool {
	d, ok := v.(*lang.Deferred)
	return ok && !isInput(d.Value()) && value.Sensitive(d.Value())
}

// addLogin records a registry; said twice alike it is one.
func (r *Recorder) addLogin(thread *starlark.Thread, l *resource.Login) *RegistryHandle {
	for i, old := range r.logins {
		switch {
		case old.Host != l.Host:
		case old.Same(l):
			return &RegistryHandle{login: old}
		case r.isEarlierLogin(old):
			r.logins[i] = l
			return &RegistryHandle{login: l}
		default:
			lang.FromThread(thread).Report(thread, &diag.Diagnostic{
				Pos: l.Pos, Summary: fmt.Sprintf("registry %s has two logins", l.Host),
				Detail:  "an image's name says no more than the host",
				Related: []diag.Note{{Pos: old.Pos, Text: "the first is here"}},
			})
			return &RegistryHandle{login: old}
		}
	}
	r.logins = append(r.logins, l)
	return &RegistryHandle{login: l}
}

// issuedLogins are the logins of the script, in the order of their hosts. A registry
// of Azure that has none gets one for the login of the only azure(), or of Azure's
// own tools. In a lab none is needed, and nobody is asked.
func (r *Recorder) issuedLogins() []*resource.Login {
	var cfg azure.Config
	inAzure, inLab := 0, false
	for _, s := range r.scopes {
		switch s.Type {
		case "azure":
			cfg = loginOf(s.Config.(azure.Config))
			inAzure++
		case "lab":
			inLab = true
		}
	}
	if inAzure != 1 {
		cfg = azure.Config{}
	}
	var out []*resource.Login
	for _, login := range r.logins {
		l := *login
		switch {
		case inLab:
			l.Issuer = nil
		case l.Issuer == nil && azure.IsRegistry(l.Host) && !l.Fixed() && l.Helper == "" && !l.Insecure:
			l.Issuer = azure.Registry{Config: cfg}
		}
		out = append(out, &l)
	}
	slices.SortFunc(out, func(a, b *resource.Login) int { return strings.Compare(a.Host, b.Host) })
	return out
}

// loginOf is what says who logs in to Azure.
func loginOf(c azure.Config) azure.Config {
	return azure.Config{Tenant: c.Tenant, Environment: c.Environment}
}
