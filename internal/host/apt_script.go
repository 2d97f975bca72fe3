package host

import (
	"fmt"
	"strings"
)

// aptScript does jobs of one kind in one run of apt-get. It prints one of
//
//	held WHO                 and does nothing: somebody holds dpkg's lock
//	unknown NAME VERSIONS    for a package that no source has in that version
//	failed PHASE             with apt-get's log after it
//
// and, where nothing failed, what dpkg then knows after the line "-- packages".
func aptScript(jobs []*aptJob) string {
	var names []string
	var wanted strings.Builder
	for _, j := range jobs {
		names = append(names, j.spec.Name)
		version, hold := "", "-"
		if j.spec.Version != nil {
			version = *j.spec.Version
		}
		if j.spec.Hold != nil {
			hold = fmt.Sprint(*j.spec.Hold)
		}
		fmt.Fprintf(&wanted, "%s %s %s\n", j.spec.Name, hold, version)
	}
	phases, option := aptInstall, ""
	switch first := jobs[0].spec; {
	case !first.Installed && first.Purge:
		phases, option = aptRemove, "--purge"
	case !first.Installed:
		phases = aptRemove
	case !first.Recommends:
		option = "--no-install-recommends"
	}
	return fmt.Sprintf("option='%s'\nwanted=%s\n", option, quoteAll([]string{strings.TrimSpace(wanted.String())})) +
		aptBegin + phases + "echo '-- packages'\n" + packageQuery(names) + "\n"
}

// aptBegin sets everything up. Dpkg's lock is one that only its holder can be
// asked for, so who has the file open is taken for the holder.
const aptBegin = `export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none
command -v apt-get >/dev/null || fail "the machine has no apt-get: package needs Debian, Ubuntu or a system made from them"
held() {
  for fd in $(find /proc/[0-9]*/fd -lname '/var/lib/dpkg/lock*' -o -lname /var/lib/apt/lists/lock -o -lname /var/cache/apt/archives/lock 2>/dev/null); do
    pid=${fd#/proc/}; pid=${pid%%/*}
    printf 'held process %s (%s)\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-60 | sed 's/ *$//')"
    exit 0
  done
}
held
log=$(mktemp)
trap 'rm -f "$log"' EXIT HUP INT TERM
failed() {
  if grep -q 'Could not get lock\|Unable to acquire the dpkg' "$log"; then held; fi
  printf 'failed %s\n' "$1"; cat "$log"; exit 0
}
get() { apt-get -q -y -o DPkg::Lock::Timeout=5 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null >"$log" 2>&1; }
if [ -n "$(dpkg --audit)" ]; then dpkg --configure -a </dev/null >"$log" 2>&1 || failed configure; fi
is() { dpkg-query -W -f "\${$1}" -- "$2" 2>/dev/null; }
`

// aptInstall installs. The lists of packages are fetched where they are older
// than an hour, older than the sources, or do not have what is asked for.
const aptInstall = `stamp=/var/lib/swarmscript/apt-updated
updated=
update() {
  get -o APT::Update::Error-Mode=any update || failed update
  mkdir -p /var/lib/swarmscript; touch "$stamp"; updated=1
}
if [ -z "$(find "$stamp" -mmin -60 2>/dev/null)" ] || [ -n "$(find /etc/apt/sources.list /etc/apt/sources.list.d -newer "$stamp" 2>/dev/null)" ]; then
  while read -r name hold version; do
    if [ "$(is db:Status-Status "$name")" != installed ] || [ -n "$version" ]; then update; break; fi
  done <<EOF
$wanted
EOF
fi
choose() { # the newest version that the pattern means
  apt-cache madison -- "$1" 2>/dev/null | {
    best=
    while IFS='| ' read -r name version rest; do
      case $version in $2) if [ -z "$best" ] || dpkg --compare-versions "$version" gt "$best"; then best=$version; fi ;; esac
    done
    printf '%s' "$best"
  }
}
specs() {
  specs= unknown= hold= unhold=
  while read -r name keep version; do
    if [ -z "$version" ]; then
      if apt-cache show -- "$name" >/dev/null 2>&1; then specs="$specs $name"; else unknown="$unknown $name"; continue; fi
    else
      v=$(choose "$name" "$version")
      if [ -z "$v" ]; then v=$(is Version "$name"); case $v in $version) ;; *) v= ;; esac; fi
      if [ -n "$v" ]; then specs="$specs $name=$v"; else unknown="$unknown $name"; continue; fi
    fi
    case $keep in true) hold="$hold $name" ;; false) unhold="$unhold $name" ;; esac
  done <<EOF
$wanted
EOF
}
specs
if [ -n "$unknown" ] && [ -z "$updated" ]; then update; specs; fi
for name in $unknown; do
  printf 'unknown %s %s\n' "$name" "$(apt-cache madison -- "$name" 2>/dev/null | cut -d'|' -f2 | tr -d ' ' | head -n 8 | tr '\n' ' ')"
done
if [ -n "$specs" ]; then
  get $option --no-remove --allow-downgrades --allow-change-held-packages install -- $specs || failed install
fi
if [ -n "$hold" ]; then apt-mark hold $hold >"$log" 2>&1 || failed hold; fi
if [ -n "$unhold" ]; then apt-mark unhold $unhold >"$log" 2>&1 || failed hold; fi
`

// aptRemove removes, if that takes nothing else with it.
const aptRemove = `names=
while read -r name rest; do
  case $(is db:Status-Status "$name") in '' | not-installed) ;; *) names="$names $name" ;; esac
done <<EOF
$wanted
EOF
if [ -n "$names" ]; then
  get -s $option remove -- $names || failed remove
  others=$(sed -n 's/^\(Remv\|Purg\) \([^ ]*\).*/\2/p' "$log" | while read -r n; do case " $names " in *" ${n%:*} "*) ;; *) echo "$n" ;; esac; done)
  if [ -n "$others" ]; then printf '%s\n' "$others" >"$log"; failed others; fi
  get $option --allow-change-held-packages remove -- $names || failed remove
fi
`
