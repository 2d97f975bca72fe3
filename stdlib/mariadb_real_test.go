package stdlib_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/testengine"
)

// Debian's MariaDB and HAProxy, in one image, where those of Docker Hub would be.
var mariadbImage = testengine.PackageImage{
	Name: "swarmtest/mariadb:1",
	Packages: []string{
		"mariadb-server", "mariadb-backup", "galera-4", "haproxy", "socat",
		"bash", "coreutils", "findutils", "gawk", "grep", "gzip", "hostname", "libc-bin", "procps", "sed",
	},
	Accounts: []string{"mysql", "haproxy"},
	Without:  []string{"/bin/aria_", "/bin/myisam", "/bin/mariadb-slap", "/bin/mariadb-import", "/bin/perror"},
	Links:    []string{"/usr/bin/awk -> gawk", "/usr/bin/which -> which.debianutils", "/usr/bin/sh -> bash"},
}

const mariadbScript = `
load("@stdlib//mariadb.star", "galera")

project("shop", env = "test")
galera(
    image = "swarmtest/mariadb:1",
    proxy_image = "swarmtest/mariadb:1",
    database = "shop",
    user = "shop",
    proxies = 1,
    options = %s,
    encrypted = False,  # this computer's kernel has no ESP
    node_more = {"restart": restart_policy(delay = "1s"), "timeout": "5m"},
    proxy_more = {"endpoint_mode": "dnsrr", "timeout": "5m"},
)
`

// Three nodes of MariaDB on three machines: what is written through the proxy is
// on each; one that is killed comes back and has what was written meanwhile; after
// all are killed at once they begin again with all that was written; an update
// takes one after the other.
func TestRealGalera(t *testing.T) {
	sw := testengine.StartSwarm(t, 1, 2)
	testengine.LoadPackages(t, mariadbImage, sw.Engines()...)
	s := newStage(t, sw.Managers[0])
	script := fmt.Sprintf(mariadbScript, "{}")
	s.apply(script)
	g := &galeraStage{s, sw}
	t.Cleanup(func() {
		for _, e := range sw.Engines() {
			if c := g.container(e); t.Failed() && c != "" {
				out, err := e.TryDocker("logs", "--tail", "60", c)
				t.Log(e.Hostname, out, err)
			}
		}
	})

	g.written("CREATE TABLE seen (what VARCHAR(40) PRIMARY KEY)")
	g.written("INSERT INTO seen VALUES ('first')")
	g.everywhere("first")

	lost := sw.Workers[0]
	lost.Docker("kill", g.container(lost))
	g.written("INSERT INTO seen VALUES ('one was away')")
	g.everywhere("first", "one was away")

	for _, e := range sw.Engines() {
		e.Docker("kill", g.container(e))
	}
	g.everywhere("first", "one was away")
	for _, e := range sw.Engines() {
		if said := e.Docker("logs", g.container(e)); !strings.Contains(said, "galera: rank=3 seqno=") || strings.Contains(said, "cannot be recovered") {
			t.Errorf("%s did not know where it was:\n%s", e.Hostname, said)
		}
	}
	g.written("INSERT INTO seen VALUES ('all were away')")
	g.everywhere("all were away", "first", "one was away")

	script = fmt.Sprintf(mariadbScript, `{"max_connections": 222}`)
	s.apply(script)
	g.everywhere("all were away", "first", "one was away")
	for _, e := range sw.Engines() {
		if got, err := g.sql(e, "SELECT @@max_connections"); err != nil || got != "222" {
			t.Errorf("%s: max_connections is %s, %v", e.Hostname, got, err)
		}
	}
}

type galeraStage struct {
	*stage
	swarm *testengine.Swarm
}

// container is the node of the cluster on an engine; empty while there is none.
func (g *galeraStage) container(e *testengine.Engine) string {
	g.Helper()
	return e.Docker("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=db-galera")
}

// sql asks the node on an engine, past the proxy.
func (g *galeraStage) sql(e *testengine.Engine, query string) (string, error) {
	g.Helper()
	return e.TryDocker("exec", g.container(e), "mariadb", "--defaults-file=/etc/galera.cnf", "-NBe", query, "shop")
}

// written writes through the proxy, with the user's password, as a service would.
func (g *galeraStage) written(query string) {
	g.Helper()
	const client = `mariadb --no-defaults --protocol=tcp -h db -u shop -p"$(cat /run/secrets/galera_password)" shop -e "$0"`
	g.eventually(query, func() (bool, string) {
		for _, e := range g.swarm.Engines() {
			c := g.container(e)
			if c == "" {
				continue
			}
			out, err := e.TryDocker("exec", c, "bash", "-c", client, query)
			return err == nil || strings.Contains(err.Error(), "Duplicate entry"), fmt.Sprint(out, err)
		}
		return false, "no node runs"
	})
}

// everywhere waits until each node is one of a cluster of three, and has the rows.
func (g *galeraStage) everywhere(rows ...string) {
	g.Helper()
	want := "3\t" + strings.Join(rows, ",")
	g.eventually("each node has "+want, func() (bool, string) {
		var said []string
		for _, e := range g.swarm.Engines() {
			got, err := g.sql(e, "SELECT (SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_cluster_size'), GROUP_CONCAT(what ORDER BY what) FROM seen")
			if err != nil || got != want {
				said = append(said, fmt.Sprint(e.Hostname, ": ", got, " ", err))
			}
		}
		return len(said) == 0, strings.Join(said, "\n")
	})
}
