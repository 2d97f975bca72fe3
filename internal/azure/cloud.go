package azure

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// clouds are Azure's, by the names that docker-machine gives them.
var clouds = map[string]cloud.Configuration{
	"AzurePublicCloud":       cloud.AzurePublic,
	"AzureChinaCloud":        cloud.AzureChina,
	"AzureUSGovernmentCloud": cloud.AzureGovernment,
}

var cloudNames = slices.Sorted(maps.Keys(clouds))

// cloudNicknames are what az and Terraform call them, in lower case.
var cloudNicknames = map[string]string{
	"public": "AzurePublicCloud", "azurecloud": "AzurePublicCloud",
	"china":        "AzureChinaCloud",
	"usgovernment": "AzureUSGovernmentCloud", "azureusgovernment": "AzureUSGovernmentCloud",
}

// cloudName is the name of a cloud, however it is called. One that there is not stays
// as it is.
func cloudName(called string) string {
	if name := cloudNicknames[strings.ToLower(called)]; name != "" {
		return name
	}
	for _, name := range cloudNames {
		if strings.EqualFold(name, called) {
			return name
		}
	}
	return called
}

// cloudOf is the cloud that the script says, or the environment as docker-machine,
// Terraform and az's libraries have it.
func cloudOf(cfg Config) (cloud.Configuration, error) {
	said := cmp.Or(cfg.Environment, os.Getenv("AZURE_ENVIRONMENT"), os.Getenv("ARM_ENVIRONMENT"))
	authority := os.Getenv("AZURE_AUTHORITY_HOST")
	called := cmp.Or(said, cloudAt(authority), "AzurePublicCloud")
	conf, ok := clouds[cloudName(called)]
	if !ok {
		return conf, fmt.Errorf("azure: %w: AZURE_ENVIRONMENT or ARM_ENVIRONMENT is %q, want one of %s", resource.ErrRefused, called, strings.Join(cloudNames, ", "))
	}
	switch other := cloudAt(authority); {
	case authority == "":
	case other == "":
		conf.ActiveDirectoryAuthorityHost = authority // somebody's own
	case other != cloudName(called):
		return conf, fmt.Errorf("azure: %w: AZURE_AUTHORITY_HOST is %q, where %s logs in, and the environment is %s", resource.ErrRefused, authority, other, cloudName(called))
	}
	return conf, nil
}

// cloudAt is the cloud whose logins are made at an address, "" where it is none's.
func cloudAt(authority string) string {
	host := func(at string) string {
		return strings.ToLower(strings.Trim(strings.TrimPrefix(at, "https://"), "/"))
	}
	for _, name := range cloudNames {
		if host(clouds[name].ActiveDirectoryAuthorityHost) == host(authority) {
			return name
		}
	}
	return ""
}
