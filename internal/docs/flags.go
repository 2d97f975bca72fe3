package docs

// Flag is a flag of docker's that is no argument, or some that belong together:
// "--env-add, --env-rm".
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
	{"docker service update", "--detach", "`wait = False`, or `--detach` of apply."},
	{"docker service update", "--quiet", "Apply's output is its own; see `--json`."},
	{"docker service update", "--args", "`command`."},
	{"docker service update", "--image", "`image`."},
	{"docker service update", "--force", "`lifecycle(replace_on = [...])`: its tasks are renewed when one of the values changes."},
	{"docker service update", "--rollback", "`swarmscript rollback SERVICE`, or declare what was declared before; `update = update_policy(on_failure = \"rollback\")` goes back by itself."},
	{"docker service update", "--config-add, --config-rm", "`configs`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--constraint-add, --constraint-rm", "`constraints`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--container-label-add, --container-label-rm", "`container_labels`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--dns-add, --dns-rm", "`dns`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--dns-option-add, --dns-option-rm", "`dns_options`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--dns-search-add, --dns-search-rm", "`dns_search`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--env-add, --env-rm", "`env`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--generic-resource-add, --generic-resource-rm", "`generic_resources`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--group-add, --group-rm", "`groups`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--host-add, --host-rm", "`hosts`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--label-add, --label-rm", "`labels`: a key that the script drops goes, those of others stay."},
	{"docker service update", "--mount-add, --mount-rm", "`mounts`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--network-add, --network-rm", "`networks`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--placement-pref-add, --placement-pref-rm", "`placement_prefs`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--publish-add, --publish-rm", "`ports`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--secret-add, --secret-rm", "`secrets`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--sysctl-add, --sysctl-rm", "`sysctls`, which says all of them: what is not in it any more goes."},
	{"docker service update", "--ulimit-add, --ulimit-rm", "`ulimits`, which says all of them: what is not in it any more goes."},
	{"docker swarm init", "--force-new-cluster", "An act of recovery, not a state to declare: run it by hand on the manager that is left."},
}
