# The first process of a machine, in new namespaces for all but its cgroups. It ends when the program that starts it does,
# until that has put it into its cgroups, has given it its link, and says so by a line.
read -r line && [ "$line" = go ] || exit 1
exec unshare --cgroup --propagation private /bin/sh -ec "$@"
