package docs

// Flag is a flag of docker's that is no argument.
type Flag struct{ Command, Flag, Why string }

// Flagless are the flags of the commands that the kinds stand for, of docker
// 28.5, that are no argument. A test compares them with the commands' own help.
var Flagless = []Flag{
	{"docker service create", "--detach", "`wait = False`, or `--detach` of apply."},
	{"docker service create", "--quiet", "Apply's output is its own; see `--json`."},
	{"docker service create", "--env-file", "Use `env` with `read_file(...)`, split into lines."},
	{"docker pull", "--all-tags", "A declaration is one image: declare each tag, in a loop if there are many."},
	{"docker pull", "--disable-content-trust", "Content trust is the docker CLI's own, with a Notary server beside the registry. A digest in `ref` says what is pulled."},
	{"docker pull", "--quiet", "Apply's output is its own; see `--json`."},
	{"docker plugin create", "--compress", "A plugin is made from a folder and pushed by hand, once; `plugin` installs what is in a registry."},
	{"docker plugin install", "--disable-content-trust", "As for `docker pull`."},
	{"docker swarm init", "--force-new-cluster", "An act of recovery, not a state to declare: run it by hand on the manager that is left."},
}
