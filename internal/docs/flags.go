package docs

// Flag is a flag of docker's that is no argument.
type Flag struct{ Command, Flag, Why string }

// Flagless are the flags of the commands that the kinds stand for, of docker
// 28.5, that are no argument. A test compares them with the commands' own help.
var Flagless = []Flag{
	{"docker service create", "--detach", "`wait = False`, or `--detach` of apply."},
	{"docker service create", "--quiet", "Apply's output is its own; see `--json`."},
	{"docker service create", "--env-file", "Use `env` with `read_file(...)`, split into lines."},
	{"docker run", "--attach", "A declared container runs detached; `docker attach` and `docker logs` show its output."},
	{"docker run", "--cidfile", "The ID is the output `id`."},
	{"docker run", "--detach", "A declared container always runs detached; `wait = False` does not wait for it."},
	{"docker run", "--detach-keys", "Nothing is attached that could be detached."},
	{"docker run", "--disable-content-trust", "The docker CLI alone checks such signatures; give the image by its digest."},
	{"docker run", "--env-file", "Use `env` with `read_file(...)`, split into lines."},
	{"docker run", "--help", "`swarmscript docs container`."},
	{"docker run", "--kernel-memory", "Linux has not known it since 5.4, and Docker ignores it since 23."},
	{"docker run", "--label-file", "Use `labels` with `read_file(...)`, split into lines."},
	{"docker run", "--quiet", "Apply's output is its own; see `--json`."},
	{"docker run", "--rm", "What is declared shall be there: a container that removes itself would be made again. `state = \"completed\"` is for what runs once."},
	{"docker run", "--sig-proxy", "Nothing is attached that signals could go through."},
	{"docker run", "--use-api-socket", "It copies the credentials of who runs the command; mount the engine's socket with `mounts` and give credentials by `env`."},
	{"docker pull", "--all-tags", "A declaration is one image: declare each tag, in a loop if there are many."},
	{"docker pull", "--disable-content-trust", "Content trust is the docker CLI's own, with a Notary server beside the registry. A digest in `ref` says what is pulled."},
	{"docker pull", "--quiet", "Apply's output is its own; see `--json`."},
	{"docker plugin create", "--compress", "A plugin is made from a folder and pushed by hand, once; `plugin` installs what is in a registry."},
	{"docker plugin install", "--disable-content-trust", "As for `docker pull`."},
	{"docker swarm init", "--force-new-cluster", "An act of recovery, not a state to declare: run it by hand on the manager that is left."},
}
