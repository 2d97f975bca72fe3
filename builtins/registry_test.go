package builtins

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/azure"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/lang"
)

// Who gives out the logins of a script's registries.
func TestIssuers(t *testing.T) {
	german, french := azure.Registry{Config: azure.Config{Tenant: "german"}}, azure.Registry{Config: azure.Config{Tenant: "french"}}
	const two = `de = azure("germanywestcentral", resource_group = "de", tenant = "german")
fr = azure("francecentral", resource_group = "fr", tenant = "french")
`
	for src, want := range map[string]any{
		`registry("shop.azurecr.io")`:                                                 azure.Registry{},
		`registry("Shop.azurecr.io"); azure("westeurope", tenant = "german")`:         german,
		two + `registry("shop.azurecr.io")`:                                           azure.Registry{},
		two + `registry("shop.azurecr.io", provider = fr)`:                            french,
		two + `registry("10.0.0.4:5000", provider = fr)`:                              french,
		two + `registry("10.0.0.4:5000")`:                                             nil,
		`registry("shop.azurecr.io", username = "ann", password = "pw")`:              nil,
		`registry("shop.azurecr.io", helper = "acr-env")`:                             nil,
		`registry("shop.azurecr.io", insecure = True)`:                                nil,
		`registry("shop.azurecr.io"); vm("a")`:                                        nil, // in the lab
		two + `registry("shop.azurecr.io", provider = fr); vm("a", provider = lab())`: nil,
		`registry("registry.example.com"); azure("westeurope")`:                       nil,
	} {
		rec := NewRecorder(&Inputs{}, registry.Kinds())
		session := lang.NewSession(lang.Options{Root: t.TempDir(), Predeclared: rec.Predeclared()})
		if _, err := session.ExecSource(t.Context(), "x.star", []byte("project('shop')\n"+strings.ReplaceAll(src, "; ", "\n"))); err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		p, problems := rec.Program()
		if err := problems.Err(); err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := any(p.Logins[0].Issuer); got != want {
			t.Errorf("%s: got %v, want %v", src, got, want)
		}
	}
}
