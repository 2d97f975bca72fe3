package docs

// function is a builtin that is not a kind's.
type function struct {
	name, signature, doc string
	args                 []argument
}

type argument struct{ name, typ, dflt, doc string }

// functions are the builtins of scripts that no schema describes, in the order
// of the documentation. A test evaluates each.
var functions = []function{
	{"project", `project(name, env="")`, "The project, and its environment, that everything in the script belongs to: the mark by which the next run finds it. Called once, before anything is declared.", []argument{
		{"name", "string", "", "Letters, digits, `_`, `.` and `-`."},
		{"env", "string", `""`, "Such as `staging`: the same project in another environment is another mark."},
	}},
	{"engine", `engine(host="", context="", name="default", tls_ca="", tls_cert="", tls_key="", tls_verify=True)`, "A Docker Engine that exists. Without arguments it is the one that the docker CLI would talk to: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context. Returns a handle for `swarm.init` and for `engine=`.", []argument{
		{"host", "string", "", "An address: `unix:///run/docker.sock`, `tcp://10.0.0.4:2376`, `ssh://root@10.0.0.4`."},
		{"context", "string", "", "The name of a docker context, in place of host."},
		{"name", "string", `"default"`, "Its name in addresses: `engine.NAME`. An engine other than the environment's needs one."},
		{"tls_ca", "string", "", "The file of the certificate that the engine's is checked against."},
		{"tls_cert", "string", "", "The file of the client's certificate."},
		{"tls_key", "string", "", "The file of the client's key."},
		{"tls_verify", "bool", "True", "Whether the engine's certificate is checked."},
	}},
	{"host", `host(name, address, user="", port=0, key="", jump="", sudo="auto", private_ip="", accept_new=False)`, "A machine that exists, reached over SSH. What is left out is what `~/.ssh/config` says. Its handle goes where a machine is wanted: first in `file(...)`, `package(...)`, `docker_install(...)`, `swarm.init(...)`, and as `engine=`. It has `name`, `public_ip`, `private_ip` and `user`.", []argument{
		{"name", "string", "", "Its name in addresses: `host.NAME`, and that of its node in a swarm."},
		{"address", "string", "", "An IP address or a name; also what `Host` in `~/.ssh/config` is compared with."},
		{"user", "string", "", "Who logs in."},
		{"port", "int", "22", "Where sshd listens."},
		{"key", "string", "", "The file of a private key; otherwise the agent's keys and the usual files."},
		{"jump", "string", "", "The host to go through, as `ssh -J`."},
		{"sudo", "string", `"auto"`, "`auto` uses sudo where the user is not root, `never` does not. `ask` asks for its password, once for all machines; off a terminal it is in `SWARMSCRIPT_SUDO_PASSWORD`."},
		{"private_ip", "string", "the address", "The IP address that the other machines use. It has to be said where the address is a name and something asks for it."},
		{"accept_new", "bool", "False", "Whether a host key that is not known yet is taken and remembered. A changed one never is."},
	}},
	{"lab", `lab(name="")`, "Machines that are simulated, in a process on this computer: what `vm()` takes as `provider` unless told otherwise. The swarm that they form is real, its containers are not. Needs nothing.", []argument{
		{"name", "string", "", "Another lab beside the usual one, with nothing in common; small letters, digits and hyphens."},
	}},
	{"local", `local(site="", subnet="")`, "Machines on this computer, each with its own systemd, sshd and address: what `vm()` takes as `provider`. Needs Linux and root.", []argument{
		{"site", "string", "", "A set of machines apart from all others, with a bridge of its own; small letters and digits. Left out: the one that all projects share."},
		{"subnet", "string", "", "Where the site has its addresses, as `10.213.0.0/16`; one that the computer has no route into is chosen."},
	}},
	{"azure", `azure(location, resource_group="", subscription="", tenant="", environment="", open_ports=[], ssh_from="", tags={})`, "A resource group in Microsoft Azure: what `vm()` takes as `provider`, and what its networks live in. Who logs in is found as Azure's own tools do: `AZURE_CLIENT_ID` and its like, or `ARM_*`; a workload's or a machine's identity; `az login`; `azd auth login`.", []argument{
		{"location", "string", "", "The region, such as `westeurope`."},
		{"resource_group", "string", `""`, "Its name. Left out: the project's, with its environment. It is made where there is none."},
		{"subscription", "string", `""`, "The subscription's ID. Left out: `AZURE_SUBSCRIPTION_ID`, `ARM_SUBSCRIPTION_ID`, the one that `az` works with, or the only one that the login sees."},
		{"tenant", "string", `""`, "The tenant to log in to. Left out: `AZURE_TENANT_ID`, `ARM_TENANT_ID`, or the login's own."},
		{"environment", "string", `""`, "`AzurePublicCloud`, `AzureUSGovernmentCloud` or `AzureChinaCloud`, also as az and Terraform call them: `usgovernment`. Left out: `AZURE_ENVIRONMENT`, `ARM_ENVIRONMENT`, or Azure's public cloud."},
		{"open_ports", "list of string", "[]", "Ports that are open to everybody on machines that have the project's security group, as `80`, `8000-8010/tcp`, `53/udp`."},
		{"ssh_from", "string", `""`, "Whence those machines let SSH in: an address or a range of them. Left out: from everywhere."},
		{"tags", "map of string", "{}", "Tags of all that is made here. Each resource's own `tags` come before them."},
	}},
	{"registry", `registry(host, username="", password="", identity_token="", helper="", ca="", insecure=False, provider=None)`, "The login for a registry of images: what the script's services, containers, images and builds use to pull and push. Without a login of its own it is what `docker login` has kept: `DOCKER_CONFIG`, its credential store and helpers. The nodes get it with every service whose image is in the registry. Its handle has `host`, and `image(name)` for the name of an image there.", []argument{
		{"host", "string", "", "What the names of its images begin with, such as `registry.example.com` or `10.0.0.4:5000`; `docker.io` is Docker Hub."},
		{"username", "string", "", "Who logs in."},
		{"password", "string", "", "The password, or a token in its place; never shown. With `env(..., sensitive = True)` it is not in the script either."},
		{"identity_token", "string", "", "A token that the registry gave for a login, in place of a password; never shown."},
		{"helper", "string", "", "A credential helper to ask: `ecr-login` is the program `docker-credential-ecr-login`."},
		{"ca", "string", "", "Certificates in PEM format that the registry's is checked against where this program asks it: before there is a swarm, or where a manager cannot. Engines have their own, in `/etc/docker/certs.d/HOST/ca.crt`."},
		{"insecure", "bool", "False", "Whether this program takes any certificate of it, and plain HTTP. Engines have their own setting, `insecure_registries` of `docker_install`."},
		{"provider", "azure", "", "An `azure(...)` whose login the registry takes: an Azure Container Registry. One that is called `NAME.azurecr.io` needs it only where there are several."},
	}},
	{"env", `env(name, default=None, sensitive=False)`, "An environment variable. It is an error if it is not set and there is no default.", []argument{
		{"name", "string", "", "The variable's name."},
		{"default", "any", "", "What it is where it is not set."},
		{"sensitive", "bool", "False", "Whether it is hidden wherever it goes."},
	}},
	{"var", `var(name, default=None, type=None, choices=None, sensitive=False, description="")`, "An input of the script: from `--var`, else `--var-file`, else the environment's `SWARMSCRIPT_VAR_name`, else the default.", []argument{
		{"name", "string", "", "The variable's name."},
		{"default", "any", "", "What it is where it is not given; without one it has to be."},
		{"type", "string", "the default's", "`string`, `int`, `float`, `bool`, `list` or `map`; text is converted."},
		{"choices", "list", "", "The only values allowed."},
		{"sensitive", "bool", "False", "Whether it is hidden wherever it goes."},
		{"description", "string", `""`, "What it is for."},
	}},
	{"read_file", `read_file(path)`, "The text of a file: relative to the script that asks, or `//` from the root. Nothing outside the root is read.", []argument{
		{"path", "string", "", "The file."},
	}},
	{"template", `template(path, vars={})`, "The text that a Go template gives (text/template): `{{.port}}`, `{{range .peers}}...{{end}}`, `{{if .tls}}...{{end}}`; beside Go's functions there are `join`, `split`, `indent`, `json`, `lower`, `upper`, `trim` and `replace`. A variable that is not known yet, or sensitive, can be written out but not asked about. One that is missing is an error.", []argument{
		{"path", "string", "", "The file, as read_file() takes it."},
		{"vars", "map", "{}", "What the variables are."},
	}},
	{"output", `output(name, value, description="", sensitive=False)`, "Publishes a value: apply shows it at its end, `swarmscript output` any time.", []argument{
		{"name", "string", "", "Its name."},
		{"value", "any", "", "What it is; may be what is known only after apply."},
		{"description", "string", `""`, "What it is for."},
		{"sensitive", "bool", "False", "Whether it is shown only to who asks for it by its name. What holds a secret is sensitive anyway."},
	}},
	{"lifecycle", `lifecycle(prevent_destroy=False, ignore_changes=[], replace_on=[])`, "How a resource is treated: for every kind's argument `lifecycle`.", []argument{
		{"prevent_destroy", "bool", "False", "A plan that would delete or replace it is an error."},
		{"ignore_changes", "list of string", "[]", "Arguments whose live value is kept."},
		{"replace_on", "list", "[]", "Values, or resources, that renew it when they change: a service starts new tasks, a secret or config does not take it, anything else is replaced."},
	}},
	{"lookup", `lookup(kind, name, *, cluster=None, engine=None, host=None, provider=None)`, "Reads what is live, whoever manages it: it is never changed and never deleted. Returns a handle whose outputs and arguments are those of the object, known after plan has looked: `lookup(\"service\", \"web\").image`. That there is none of that name is an error.", []argument{
		{"kind", "string", "", "`service`, `network`, ..."},
		{"name", "string", "", "Its name; of a secret or config also the one that a script declares it by, which means its newest version."},
		{"cluster", "swarm", "the only one", "The swarm that it lives in."},
		{"engine", "engine or host", "", "The engine that it lives on, for what does not live in a swarm."},
		{"host", "host or vm", "", "The machine that it lives on, for what a machine has."},
		{"provider", "provider", "", "Where a machine comes from."},
	}},
	{"stack", `stack(name, files=None, *, env_files=None, profiles=[], vars={}, images={}, strict=False, build=True, push=None, cluster=None, after=[], resolve_image="changed", with_registry_auth=None, wait=True, timeout=None)`, "What compose files declare, as `docker stack deploy` would make it: `stack(\"shop\", files = [\"compose.yml\"])`. Its parts are resources like those that a script declares one by one, and are found by their names in the files: `s.service(\"web\")`, `s.network(...)`, `s.secret(...)`, `s.config(...)`, `s.build(...)`; `s.services` is a list of all. A part's `override(replicas = 5)` says otherwise than the file, `extend(env = {...})` adds to its lists and dicts. What a swarm cannot do of a file is a warning with its line.", []argument{
		{"name", "string", "", "The stack's name: what it makes is called `NAME_KEY` and found by `docker stack ls`."},
		{"files", "list of string", "None", "Compose files, relative to the script; of two that say the same, the later one counts. None means `compose.yaml`, `compose.yml`, `docker-compose.yml` or `docker-compose.yaml`."},
		{"env_files", "list of string", "None", "Files of variables for `${NAME}`. None means `.env` beside the first file, if there is one."},
		{"profiles", "list of string", "[]", "Profiles whose services are declared too."},
		{"vars", "dict", "{}", "Variables for `${NAME}`. They win over the environment, and that over `env_files`."},
		{"images", "dict", "{}", "Images of services, by their names in the files: `{\"web\": build(...)}`, in place of `image` and `build`."},
		{"strict", "bool", "False", "Whether what a swarm cannot do is an error."},
		{"build", "bool", "True", "Whether `build` in the files builds images, as `build()` does, on the engine that the swarm begins on. Otherwise images are taken as they are."},
		{"push", "bool", "None", "Whether images that are built are pushed. Left out: those whose names have a registry's host in them."},
		{"cluster", "swarm", "the only one", "The swarm that it lives in."},
		{"after", "list of resources", "[]", "What comes before its services."},
		{"resolve_image", "string", `"changed"`, "When the registry is asked for the images' digests, as each `service` has it: `always`, `changed`, `never`."},
		{"with_registry_auth", "bool", "None", "Send the registry's login to the nodes, so that they can pull. Left out: where registry() names it."},
		{"wait", "bool", "True", "Whether each service's step waits until it has converged."},
		{"timeout", "duration", "", "How long it waits for that."},
	}},
	{"moved", `moved(old, new)`, "Says that a resource was declared under another address before. Its mark is rewritten; nothing else changes.", []argument{
		{"old", "string", "", "The old address, such as `service.old`."},
		{"new", "string or resource", "", "The resource, or its address."},
	}},
	{"format", `format(text, *args, **kwargs)`, "Text with `{}` replaced, as Python's `str.format`. Arguments may be values that are known only after apply.", nil},
	{"fail", `fail(*args)`, "Ends the script with an error.", nil},
	{"print", `print(*args, sep=" ")`, "Writes to standard error, under `exec` to standard output. Secrets are hidden.", nil},
	{"struct", `struct(**kwargs)`, "A value with those attributes.", nil},
	{"json", `json.encode(x), json.decode(text), json.indent(text)`, "JSON, as Starlark's own module.", nil},
	{"math", `math.ceil, math.floor, math.sqrt, ...`, "Starlark's own module.", nil},
	{"time", `time.parse_duration, time.parse_time, ...`, "Starlark's own module, without a clock: a script cannot ask what time it is.", nil},
}

// flagsOf says how docker writes a kind's arguments, for the head of its table.
var commands = map[string]string{
	"swarm":      "docker swarm init, docker swarm update",
	"network":    "docker network create",
	"secret":     "docker secret create",
	"config":     "docker config create",
	"volume":     "docker volume create",
	"image":      "docker pull",
	"plugin":     "docker plugin install",
	"service":    "docker service create, docker service update",
	"container":  "docker run",
	"node":       "docker node update, docker swarm join",
	"check_exec": "docker exec",
}
