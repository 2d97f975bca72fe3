# What stays beside a machine while it runs: it starts the machine's first process in new namespaces, says its number, and
# waits for it. The kernel ends that process by SIGHUP where the machine asked to be started anew (reboot(2)), and by another
# signal where it is to stay off. It asks for nothing of whoever started the machine, who may be gone by then: our program
# starts it anew, which fd 5 is.
dir=$1
shift # what is left is how to become the first process
unshare --mount --uts --ipc --net --pid --propagation private \
  /bin/sh -c '"$@" <&3 3<&- >&4 2>&4 4>&- 5<&- & echo $!; exec >&- 3<&-; wait $!; exit $?' first "$@"
[ $? = 129 ] || exit 0
exec >&4 2>&4 3<&- 4>&-
SWARMSCRIPT_LOCAL_REBOOT=$dir exec /proc/self/fd/5
