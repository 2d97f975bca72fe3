# The first process of a machine, in its cgroups and in namespaces of its own: it makes the machine's file systems, gives
# eth0 its address, and becomes systemd. What it mounts goes away with it.
name=$1 address=$2 gateway=$3 overlay=$4 dir=$5 unified=$6
shift 6 # the cgroup hierarchies remain, by the names that mount(8) gives them

echo "$name" >/proc/sys/kernel/hostname
ip link set lo up
ip addr add "$address" dev eth0
ip link set eth0 up
ip route add default via "$gateway"

mount -t overlay -o "$overlay" overlay "$dir/root"
cd "$dir/root"
# Engines keep images as overlays, which cannot sit on another one.
for plain in docker containerd; do
  mkdir -p "var/lib/$plain"
  mount --bind "$dir/$plain" "var/lib/$plain"
done
if [ -d /lib/modules ]; then
  mkdir -p lib/modules
  mount --bind /lib/modules lib/modules
  mount -o remount,bind,ro lib/modules
fi

mount -t proc -o nosuid,nodev,noexec proc proc
# These settings are the computer's, but for those of the network and the host name, which are the namespaces' own.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
for own in net kernel/hostname kernel/domainname; do
  mount --bind "/proc/sys/$own" "proc/sys/$own"
done
if [ -e proc/sysrq-trigger ]; then
  mount --bind proc/sysrq-trigger proc/sysrq-trigger
  mount -o remount,bind,ro proc/sysrq-trigger
fi

mount -t sysfs -o nosuid,nodev,noexec sysfs sys
words=
if [ "$unified" = yes ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  for c in "$@"; do
    mkdir "sys/fs/cgroup/${c#name=}"
    mount -t cgroup -o "$c" cgroup "sys/fs/cgroup/${c#name=}"
  done
  # systemd 256 and later refuse these cgroups without the two words; older ones ignore them.
  words="systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
fi

mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for node in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 dev/tty c 5 0
mknod -m 666 dev/fuse c 10 229
mknod -m 666 dev/net/tun c 10 200
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

# The new root is put over the old one, which is then taken away from below it.
pivot_root . .
umount -l .
cd /
# shellcheck disable=SC2086 # two words, or none
exec env -i container=swarmscript PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /sbin/init $words </dev/null
