package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/distribution/reference"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

// known is an image that the simulation knows something of. All others can be
// pulled, too: they run until they are stopped.
type known struct {
	entrypoint, cmd []string
	ports           []nat.Port
	volumes         []string
	workdir, user   string
	signal          string
	env             []string
	size            int64 // MB
	log             []string
}

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// catalogue is by name on Docker Hub. Configurations are those of the images.
var catalogue = map[string]known{
	"alpine":      {cmd: []string{"/bin/sh"}, size: 8},
	"busybox":     {cmd: []string{"sh"}, size: 4},
	"debian":      {cmd: []string{"bash"}, size: 117},
	"ubuntu":      {cmd: []string{"/bin/bash"}, size: 78},
	"hello-world": {cmd: []string{"/hello"}, size: 1, log: []string{"", "Hello from Docker!", "This message shows that your installation appears to be working correctly."}},
	"nginx": {entrypoint: []string{"/docker-entrypoint.sh"}, cmd: []string{"nginx", "-g", "daemon off;"}, ports: []nat.Port{"80/tcp"}, signal: "SIGQUIT", size: 192,
		log: []string{"/docker-entrypoint.sh: Configuration complete; ready for start up"}},
	"httpd":                  {cmd: []string{"httpd-foreground"}, ports: []nat.Port{"80/tcp"}, workdir: "/usr/local/apache2", signal: "SIGWINCH", size: 147},
	"caddy":                  {cmd: []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"}, ports: []nat.Port{"80/tcp", "443/tcp", "443/udp", "2019/tcp"}, workdir: "/srv", size: 50},
	"traefik":                {entrypoint: []string{"/entrypoint.sh"}, cmd: []string{"traefik"}, ports: []nat.Port{"80/tcp"}, size: 190},
	"haproxy":                {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"}, user: "haproxy", signal: "SIGUSR1", size: 103},
	"redis":                  {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"redis-server"}, ports: []nat.Port{"6379/tcp"}, volumes: []string{"/data"}, workdir: "/data", size: 117, log: []string{"* Ready to accept connections tcp"}},
	"postgres":               {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"postgres"}, ports: []nat.Port{"5432/tcp"}, volumes: []string{"/var/lib/postgresql/data"}, signal: "SIGINT", size: 438, log: []string{"LOG:  database system is ready to accept connections"}},
	"mysql":                  {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"mysqld"}, ports: []nat.Port{"3306/tcp", "33060/tcp"}, volumes: []string{"/var/lib/mysql"}, size: 797},
	"mariadb":                {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"mariadbd"}, ports: []nat.Port{"3306/tcp"}, volumes: []string{"/var/lib/mysql"}, size: 328},
	"mongo":                  {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"mongod"}, ports: []nat.Port{"27017/tcp"}, volumes: []string{"/data/configdb", "/data/db"}, size: 853},
	"rabbitmq":               {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"rabbitmq-server"}, ports: []nat.Port{"5672/tcp"}, volumes: []string{"/var/lib/rabbitmq"}, size: 222},
	"memcached":              {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"memcached"}, ports: []nat.Port{"11211/tcp"}, user: "memcache", size: 84},
	"registry":               {entrypoint: []string{"/entrypoint.sh"}, cmd: []string{"/etc/docker/registry/config.yml"}, ports: []nat.Port{"5000/tcp"}, volumes: []string{"/var/lib/registry"}, size: 25},
	"node":                   {entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"node"}, env: []string{"NODE_VERSION=22.12.0"}, size: 1120},
	"python":                 {cmd: []string{"python3"}, size: 1020},
	"golang":                 {cmd: []string{"bash"}, workdir: "/go", env: []string{"GOPATH=/go"}, size: 838},
	"traefik/whoami":         {entrypoint: []string{"/whoami"}, ports: []nat.Port{"80/tcp"}, size: 7, log: []string{"Starting up on port 80"}},
	"containous/whoami":      {entrypoint: []string{"/whoami"}, ports: []nat.Port{"80/tcp"}, size: 7, log: []string{"Starting up on port 80"}},
	"prom/prometheus":        {entrypoint: []string{"/bin/prometheus"}, cmd: []string{"--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"}, ports: []nat.Port{"9090/tcp"}, volumes: []string{"/prometheus"}, user: "nobody", workdir: "/prometheus", size: 300},
	"grafana/grafana":        {entrypoint: []string{"/run.sh"}, ports: []nat.Port{"3000/tcp"}, user: "472", workdir: "/usr/share/grafana", size: 486},
	"portainer/portainer-ce": {entrypoint: []string{"/portainer"}, ports: []nat.Port{"8000/tcp", "9000/tcp", "9443/tcp"}, volumes: []string{"/data"}, workdir: "/", size: 268},
}

// pulled makes the image that a reference has in all registries of the lab.
func pulled(named reference.Named) *image {
	name := reference.FamiliarName(named)
	k, ok := catalogue[name]
	if !ok {
		base := name[strings.LastIndex(name, "/")+1:]
		k = known{entrypoint: []string{"/" + base}, size: 16}
	}
	tag := tagOf(named)
	created := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	img := &image{Size: k.size << 20, Starts: k.log}
	c := &img.Config
	c.Created, c.Architecture, c.OS = &created, architecture, "linux"
	c.Config = containertypes.Config{
		Entrypoint: k.entrypoint, Cmd: k.cmd, Env: append([]string{searchPath}, k.env...), WorkingDir: k.workdir, User: k.user, StopSignal: k.signal,
	}
	for _, p := range k.ports {
		if c.Config.ExposedPorts == nil {
			c.Config.ExposedPorts = nat.PortSet{}
		}
		c.Config.ExposedPorts[p] = struct{}{}
	}
	for _, v := range k.volumes {
		if c.Config.Volumes == nil {
			c.Config.Volumes = map[string]struct{}{}
		}
		c.Config.Volumes[v] = struct{}{}
	}
	c.RootFS.Type = "layers"
	c.RootFS.DiffIDs = []string{digestOf("layer of %s:%s", named.Name(), tag).String()}
	c.History = []imageHistory{{Created: &created, CreatedBy: fmt.Sprintf("a lab's %s:%s", name, tag)}}
	img.seal()
	return img
}

const architecture = "amd64" // of simulated machines, on any computer

// seal computes an image's ID of its configuration.
func (img *image) seal() {
	if img.Raw == nil {
		raw, err := json.Marshal(&img.Config)
		if err != nil {
			panic("lab engine: an image's configuration: " + err.Error()) // our own types always can
		}
		img.Raw = raw
	}
	img.ID = digestOf("%s", img.Raw).String()
}

func tagOf(named reference.Named) string {
	if t, ok := named.(reference.Tagged); ok {
		return t.Tag()
	}
	if d, ok := named.(reference.Digested); ok {
		return d.Digest().String()
	}
	return "latest"
}
