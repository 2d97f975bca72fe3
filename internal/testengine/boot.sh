# The start of an engine's machine: process 1 of new namespaces, which becomes $@ (an init and dockerd). $1 is its folder,
# $2 its host name, $3 its address. The parent sends a line when the link eth0 is there.
set -e
dir=$1 name=$2 address=$3
shift 3
read -r _
mount --make-rprivate /
mount -t proc proc /proc
# A sysfs of this network namespace: dockerd reads the state of bridges there. The cgroups of the old one are carried over.
mkdir -p "$dir/cgroup"
mount --rbind /sys/fs/cgroup "$dir/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
umount -l "$dir/cgroup"
# As after a boot, /run is empty. It also keeps dockerd's fixed paths (/run/docker, /run/containerd) apart.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
mount --bind /dev/null /etc/resolv.conf
# The authorities of registries, which dockerd looks up at a fixed path.
mkdir -p "$dir/certs.d" /etc/docker/certs.d
mount --bind "$dir/certs.d" /etc/docker/certs.d
mount --make-rshared /
hostname "$name"
ip link set lo up
ip addr add "$address/16" dev eth0
ip link set eth0 up
exec "$@"
