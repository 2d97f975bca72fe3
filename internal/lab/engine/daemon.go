package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/docker/libnetwork/ipamutils"
)

// daemonConfig is what the simulation heeds of daemon.json.
type daemonConfig struct {
	Labels              []string                    `json:"labels"`
	LiveRestore         bool                        `json:"live-restore"`
	Experimental        bool                        `json:"experimental"`
	Debug               bool                        `json:"debug"`
	Bip                 string                      `json:"bip"`
	MTU                 int                         `json:"mtu"`
	LogDriver           string                      `json:"log-driver"`
	LogOpts             map[string]string           `json:"log-opts"`
	DataRoot            string                      `json:"data-root"`
	StorageDriver       string                      `json:"storage-driver"`
	ExecOpts            []string                    `json:"exec-opts"`
	InsecureRegistries  []string                    `json:"insecure-registries"`
	Mirrors             []string                    `json:"registry-mirrors"`
	DefaultAddressPools []*ipamutils.NetworkToSplit `json:"default-address-pools"`
	GenericResources    []string                    `json:"node-generic-resources"`
	Features            map[string]bool             `json:"features"`
}

func parseDaemon(given map[string]any) (d daemonConfig, err error) {
	raw, err := json.Marshal(given)
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil {
		return d, fmt.Errorf("unable to configure the Docker daemon with file /etc/docker/daemon.json: %w", err)
	}
	if d.LogDriver == "" {
		d.LogDriver = "json-file"
	}
	if d.DataRoot == "" {
		d.DataRoot = "/var/lib/docker"
	}
	if d.StorageDriver == "" {
		d.StorageDriver = "overlay2"
	}
	return d, nil
}

// apiVersions is the newest API of each release, newest first.
var apiVersions = []struct {
	major, minor int
	api          string
}{
	{28, 3, "1.51"}, {28, 2, "1.50"}, {28, 1, "1.49"}, {28, 0, "1.48"}, {27, 2, "1.47"}, {27, 0, "1.46"},
	{26, 0, "1.45"}, {25, 0, "1.44"}, {24, 0, "1.43"}, {23, 0, "1.42"}, {20, 10, "1.41"}, {19, 3, "1.40"},
}

func apiVersion(version string) (string, error) {
	parts := strings.SplitN(version, ".", 3)
	major, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) < 2 {
		return "", fmt.Errorf("docker version %q: want one as 28.5.2", version)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return "", fmt.Errorf("docker version %q: want one as 28.5.2", version)
	}
	for _, v := range apiVersions {
		if major > v.major || major == v.major && minor >= v.minor {
			return v.api, nil
		}
	}
	return "", fmt.Errorf("docker version %s is older than the simulation knows (19.03)", version)
}
