package docs

import (
	"regexp"
	"strings"
)

// examples are scripts that show how builtins are used; each stands at all that
// it calls, a few at most. A test evaluates them.
var examples = []string{
	`project("shop", env = "staging")

web = build("web", args = {"VERSION": "2"}, secrets = {"npm": env("NPM_TOKEN", default = "x", sensitive = True)})
service("web", image = web.ref, replicas = 1)
api = build("web", name = "api", target = "api", tags = ["registry.example/api:2"], push = True)
service("api", image = api.ref)
`,
	`project("shop", env = "staging")

backend = network("backend", driver = "overlay")
web = service(
    "web",
    image = "nginx:1.27",
    replicas = 4,
    networks = [backend],
    ports = [port(80, published = 8080)],
    update = update_policy(parallelism = 2, order = "start-first", on_failure = "rollback"),
)
output("id", web.id)
`,
	`project("shop")
password = secret("db_password", value = env("DB_PASSWORD", default = "x", sensitive = True))
key = secret("api_key", generate = 32)  # made once, then kept
conf = config("site.conf", content = "listen 80")
service(
    "web",
    image = "nginx:1.27",
    secrets = [password, secret_ref(key, target = "key", mode = 0o400)],
    configs = [config_ref(conf, target = "/etc/nginx/conf.d/site.conf")],
)
`,
	`project("shop")
east = swarm.init(engine("ssh://root@192.0.2.1", name = "east"), name = "east", task_history_limit = 3)
west = swarm.init(engine("ssh://root@192.0.2.2", name = "west"), name = "west")
for cluster in [east, west]:
    service("web", image = "nginx:1.27", mode = "global", cluster = cluster)
`,
	`project("shop")
front = network(
    "front",
    attachable = True,
    subnets = [subnet("10.20.0.0/16", gateway = "10.20.0.1")],
)
service(
    "db",
    image = "postgres:17",
    networks = [attachment(front, aliases = ["postgres"])],
    mounts = [mount(target = "/var/lib/postgresql/data", source = "db")],
    healthcheck = healthcheck("pg_isready -U postgres", interval = "10s", retries = 3),
    restart = restart_policy(condition = "on-failure", delay = "5s"),
    ulimits = [ulimit("nofile", 1024, 4096)],
    constraints = ["node.labels.disk==ssd"],
    limit_memory = "512m",
    limit_cpu = 0.5,
    lifecycle = lifecycle(prevent_destroy = True),
)
`,
	`name = var("name", "shop", description = "the project")
replicas = var("replicas", 2, choices = [2, 4, 8])
project(name)
front = service("front", image = "nginx:1.27", replicas = replicas)
moved("service.web", front)
config("links", content = format("front is {}", front.id))
`,
	`project("shop")
here = engine()
data = volume("data", labels = {"backup": "daily"}, engine = here)
db = image("postgres", "postgres:17", engine = here)
service(
    "db",
    image = db,
    mounts = [mount(target = "/var/lib/postgresql/data", source = data)],
    constraints = ["node.hostname==mgr-0"],
)
`,
	`project("shop")
for name in ["wrk-0", "wrk-1"]:
    node(name, labels = {"tier": "web"})
proxy = lookup("network", "proxy")  # another project's
service(
    "web",
    image = "nginx:1.27",
    networks = [proxy],
    constraints = ["node.labels.tier==web"],
)
`,
	`load("@stdlib//update.star", "rolling", "seamless")

project("shop")
service("web", image = "nginx:1.27", replicas = 4, update = seamless(parallelism = 2))
service("worker", image = "worker:3", replicas = 4, update = rolling(delay = "10s"))
`,
}

// perEntry is how many examples stand at one builtin.
const perEntry = 2

// examplesOf returns the first examples that call a builtin.
func examplesOf(e *Entry) []string {
	call := regexp.MustCompile(`(^|[^\w.])` + regexp.QuoteMeta(e.Name) + `\(`)
	var out []string
	for _, x := range examples {
		switch {
		case e.Module != "" && !strings.Contains(x, e.Module):
		case call.MatchString(x) && len(out) < perEntry:
			out = append(out, x)
		}
	}
	return out
}
