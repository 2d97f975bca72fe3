package engine

import (
	"strings"
	"testing"

	networktypes "github.com/docker/docker/api/types/network"
)

func TestAPIVersionFollows(t *testing.T) {
	for version, want := range map[string]string{
		"20.10.24+dfsg1": "1.41", "23.0.1": "1.42", "24.0.7": "1.43", "25.0.3": "1.44", "26.1.5+dfsg1": "1.45",
		"27.1.0": "1.46", "27.5.1": "1.47", "28.0.0": "1.48", "28.2.2": "1.50", "28.5.2": "1.51", "29.0.0": "1.51",
	} {
		if got, err := apiVersion(version); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", version, got, err, want)
		}
	}
	for _, version := range []string{"", "28", "x.y", "18.09.1"} {
		if got, err := apiVersion(version); err == nil {
			t.Errorf("%q: %s, want an error", version, got)
		}
	}
	cfg := config("m1")
	cfg.Version = "20.10.24+dfsg1"
	s := serve(t, cfg)
	s.says("1.41", "version --format {{.Server.APIVersion}}")
	if status, body := tell(t, s.host).ask(request{"GET", "/v1.45/info", ""}); status != 400 || !strings.Contains(text(body), "Maximum supported API version is 1.41") {
		t.Errorf("a request of 1.45: %d %v", status, body)
	}
}

func TestDaemonJSON(t *testing.T) {
	cfg := config("m1")
	cfg.Daemon = map[string]any{
		"default-address-pools": []map[string]any{{"base": "10.200.0.0/16", "size": 24}}, "bip": "10.9.0.1/24",
		"labels": []string{"tier=web"}, "live-restore": true, "insecure-registries": []string{"r:5000"},
	}
	e := start(t, cfg)
	n, err := create(e, networktypes.CreateRequest{Name: "back"})
	if err != nil || !strings.HasPrefix(n.IPAM.Config[0].Subnet, "10.200.") {
		t.Errorf("%+v %v", n, err)
	}
	if bridge := e.networkNamed("bridge"); bridge.IPAM.Config[0].Subnet != "10.9.0.0/24" || bridge.IPAM.Config[0].Gateway != "10.9.0.1" {
		t.Errorf("bridge %+v", bridge.IPAM)
	}
	for want, given := range map[string]map[string]any{
		"unable to configure the Docker daemon": {"labels": 3},
		"bip":                                   {"bip": "x"},
	} {
		cfg.Daemon = given
		if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", given, err)
		}
	}
}
