# Makes the images web:1, redis:1 and registry:1 of Debian's packages: programs
# and the libraries they need, unpacked, never installed.
set -eu
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
mkdir -p "$d/debs/partial" "$d/all"
apt-get -qq update
apt-get -qq -y --no-install-recommends --download-only -o Dir::Cache::archives="$d/debs" install nginx-light redis-server docker-registry >/dev/null
for deb in "$d"/debs/*.deb; do dpkg -x "$deb" "$d/all"; done

# tree NAME FILE...: the files, and what their programs are linked with.
tree() {
  t=$d/$1; shift
  mkdir -p "$t/etc" "$t/tmp" "$t/run" "$t/var/log/nginx" "$t/var/lib/nginx"
  ln -s /run "$t/var/run"
  chmod 1777 "$t/tmp"
  printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$t/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$t/etc/group"
  for f in "$@"; do
    mkdir -p "$t/${f%/*}"
    cp -L "$d/all$f" "$t$f"
    [ -x "$t$f" ] || continue
    LD_LIBRARY_PATH=$d/all/usr/lib/x86_64-linux-gnu:$d/all/lib/x86_64-linux-gnu ldd "$t$f" | tr -s ' \t' '\n' | grep '^/' | sort -u >"$d/libs" || true
    while read -r lib; do
      to=$t/${lib#"$d/all/"}
      mkdir -p "${to%/*}"
      cp -L "$lib" "$to"
    done <"$d/libs"
  done
}

tree web /usr/sbin/nginx /etc/nginx/mime.types
tree redis /usr/bin/redis-server /usr/bin/redis-cli
tree registry /usr/bin/docker-registry

tar -C "$d/web" -c . | docker import -c 'CMD ["nginx", "-g", "daemon off;"]' - web:1
tar -C "$d/redis" -c . | docker import - redis:1
tar -C "$d/registry" -c . | docker import -c 'ENTRYPOINT ["docker-registry", "serve"]' -c 'CMD ["/etc/docker/registry/config.yml"]' - registry:1
