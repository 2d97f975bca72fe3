package stdlib_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Debian's Prometheus and its exporter, where those of Docker Hub would be.
var (
	prometheusImage = testengine.PackageImage{
		Name:       "swarmtest/prometheus:1",
		Packages:   []string{"prometheus", "busybox", "dash"},
		Links:      []string{"/usr/bin/wget -> busybox"},
		Without:    []string{"/usr/share/javascript/", "/usr/bin/promtool"},
		Entrypoint: []string{"prometheus"},
	}
	exporterImage = testengine.PackageImage{
		Name:       "swarmtest/node-exporter:1",
		Packages:   []string{"prometheus-node-exporter"},
		Entrypoint: []string{"prometheus-node-exporter"},
	}
)

const monitoringScript = `
load("@stdlib//monitoring.star", "monitoring", "rule_of", "usual_alerts")

project("watched", env = "test")
monitoring(
    images = {"prometheus": "swarmtest/prometheus:1", "node-exporter": "swarmtest/node-exporter:1"},
    targets = {"gone": "gone:8080"},
    alerts = usual_alerts() + [rule_of("Always", "vector(1) > 0", "it works", wait = "0s")],
    scrape_interval = "2s",
    grafana = False,  # Debian has no package of it, nor of cAdvisor
    cadvisor = False,
    prometheus_more = {"endpoint_mode": "dnsrr", "ports": [port(9090, published = 9090, mode = "host")]},
    exporters_more = {"endpoint_mode": "dnsrr"},
)
`

// Prometheus takes its configuration and the usual alerts, finds the exporter by
// Docker's DNS, and sees the machine.
func TestRealMonitoring(t *testing.T) {
	e := testengine.Start(t, testengine.Docker28)
	testengine.LoadPackages(t, prometheusImage, e)
	testengine.LoadPackages(t, exporterImage, e)
	e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	s := newStage(t, e)
	s.apply(monitoringScript)
	asks := func(path, want string) {
		t.Helper()
		s.eventually(path+" has "+want, func() (bool, string) {
			resp, err := http.Get(fmt.Sprintf("http://%s:9090/api/v1/%s", e.Addr, path))
			if err != nil {
				return false, err.Error()
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return err == nil && strings.Contains(string(body), want), string(body)
		})
	}
	asks("query?query="+url.QueryEscape(`count(up{job="node"} == 1)`), `"1"]`)
	asks("query?query="+url.QueryEscape(`count(node_filesystem_size_bytes{mountpoint="/"})`), `"1"]`)
	asks("alerts", `"alertname":"Always"`)
	asks("rules", `"name":"ContainersRestart"`)
}
